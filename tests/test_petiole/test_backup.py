"""`petiole backup` and `petiole restore`: everything is wiped in between, and nothing is lost."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import requests

from tests.conftest import picture
from tests.started_parts import HTTP_SECONDS, Place, place
from tests.test_bulk.conftest import zipped
from tests.test_end_to_end.conftest import wait_until

pytestmark = pytest.mark.end_to_end

COLOURS = {"red": "red", "lime": "green", "blue": "blue"}
"""Colours to draw with, and what `colours` answers."""


@dataclass(frozen=True)
class Taken:
    """A backup of a service that accepted pictures while nobody worked on them."""

    file: Path
    said: str
    key: str
    task_ids: dict[str, str]
    bulk_id: str
    digests: list[str]

    @property
    def headers(self) -> dict[str, str]:
        """What opens the service."""
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="module")
def taken(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Taken:
    """Pictures, one with a name of its client's, and a bulk; all but the backup is gone now."""
    folder = tmp_path_factory.mktemp("backup")
    with place(folder / "first", original_environment, PETIOLE_API_REQUIRE_KEYS="true") as first:
        shutil.copytree(colour_store, folder / "first" / "models")
        key = first.run("keys", "create", "ana").stdout.strip()
        first.start("api")
        headers = {"Authorization": f"Bearer {key}"}
        ids = {c: _accepted(first, picture(c), headers | {"Idempotency-Key": c}) for c in COLOURS}
        pictures = zipped({f"{colour}.jpg": picture(colour) for colour in COLOURS})
        sent = first.post("/bulk", pictures, headers=headers | {"Content-Type": "application/zip"})
        assert sent.status_code == 202, sent.text
        with redis.Redis.from_url(first.redis_url, decode_responses=True) as client:
            digests = [client.hget(name, "digest") or "" for name in client.keys("petiole:key:*")]
        done = first.run("backup", str(folder / "it.tar"))
    shutil.rmtree(folder / "first")
    assert done.returncode == 0, done.stderr
    return Taken(
        folder / "it.tar", done.stdout + done.stderr, key, ids, sent.json()["bulk_id"], digests
    )


def _accepted(at: Place, content: bytes, headers: dict[str, str]) -> str:
    answer = at.post("/classify", content, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


@pytest.fixture(scope="module")
def restored(
    taken: Taken,
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
) -> Iterator[Place]:
    """A new place into which it was restored, with workers."""
    folder = tmp_path_factory.mktemp("restored")
    with place(folder / "second", original_environment, PETIOLE_API_REQUIRE_KEYS="true") as second:
        done = second.run("restore", str(taken.file))
        assert done.returncode == 0, done.stderr
        for name in ("api", "worker", "bulk"):
            second.start(name)
        yield second


def test_every_accepted_picture_is_answered_under_its_id(taken: Taken, restored: Place) -> None:
    """With the key that sent it, by the model that came back."""
    documents = {c: restored.ended(id_, headers=taken.headers) for c, id_ in taken.task_ids.items()}

    labels = {c: document["predictions"][0]["label"] for c, document in documents.items()}
    assert labels == COLOURS
    assert {(each["model"], each["model_version"]) for each in documents.values()} == {
        ("colours", 1)
    }


def test_a_request_that_is_sent_once_more_is_the_same_job(taken: Taken, restored: Place) -> None:
    """Its client has lost the answer, and the service its memory since."""
    headers = taken.headers | {"Idempotency-Key": "red"}
    again = restored.post("/classify", picture("red"), headers=headers)

    assert again.json()["task_id"] == taken.task_ids["red"]


def test_a_bulk_goes_on(taken: Taken, restored: Place) -> None:
    """Each of its pictures has one line."""
    url = f"{restored.api}/bulk/{taken.bulk_id}/results"

    def lines() -> list[str] | None:
        answer = requests.get(url, headers=taken.headers, timeout=HTTP_SECONDS)
        found = answer.text.splitlines()
        return found if len(found) == len(COLOURS) else None

    found = wait_until(lines, seconds=90)

    states = [json.loads(line)["state"] for line in found]
    assert states == ["SUCCESS"] * len(COLOURS)


def test_the_trail_goes_on(restored: Place) -> None:
    """What was done before is there, and that it was brought back."""
    lines = restored.run("audit", "--json").stdout.splitlines()

    assert [json.loads(line)["what"] for line in lines] == ["key-created", "backup-restored"]


def test_a_full_place_is_left_alone_unless_it_is_told(taken: Taken, restored: Place) -> None:
    """Told so, what is there stays as it is: a second time adds nothing."""
    refused = restored.run("restore", str(taken.file))
    told = restored.run("restore", str(taken.file), "--add", "--json")

    assert refused.returncode == 1
    assert "keys, an audit trail already; --add leaves those" in refused.stderr
    assert set(json.loads(told.stdout)["restored"].values()) == {0}


def test_it_is_its_owners_alone_and_tells_no_secret(taken: Taken) -> None:
    """A key's secret is in no backup; its digest is, and is never printed."""
    secret = taken.key.partition(".")[2]

    assert taken.file.stat().st_mode & 0o777 == 0o600
    assert secret.encode() not in taken.file.read_bytes()
    assert taken.digests[0] not in taken.said
    assert [each.name for each in taken.file.parent.iterdir()] == ["it.tar"]
    assert "1 versions, 1 keys, 3 open jobs, 1 open bulks" in taken.said


def test_it_is_made_while_pictures_come_and_go(
    taken: Taken, restored: Place, tmp_path: Path
) -> None:
    """Nobody is refused, and each open picture in it has its bytes."""
    with ThreadPoolExecutor(2) as pool:
        made = pool.submit(restored.run, "backup", str(tmp_path / "it.tar"))
        sent: list[int] = []
        while not made.done():
            sent.append(restored.post("/classify", picture(), headers=taken.headers).status_code)
    with tarfile.open(tmp_path / "it.tar") as tar:
        names = set(tar.getnames())
        stream = tar.extractfile("records.json")
        assert stream is not None
        jobs = json.loads(stream.read())["jobs"]

    assert made.result().returncode == 0, made.result().stderr
    assert set(sent) == {202}
    assert {f"uploads/{each['record']['task_id']}" for each in jobs} <= names
