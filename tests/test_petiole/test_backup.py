"""`petiole backup` and `petiole restore`: everything is wiped in between, and nothing is lost."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import requests
from click.testing import Result
from typer.testing import CliRunner

from model_store import ModelStore
from petiole.cli import app
from tasks import once, stores
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


@dataclass(frozen=True)
class Empty:
    """A place that has nothing; commands run in this process, which is quicker."""

    directory: Path
    redis: redis.Redis

    def run(self, *words: str) -> Result:
        """Run `petiole` against it."""
        return CliRunner().invoke(app, list(words))


@pytest.fixture
def empty(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Empty]:
    """One that the settings of this process name."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        for name, value in {
            "PETIOLE_TASKS_JOB_STORE_URL": redis_url,
            "PETIOLE_TASKS_IMAGE_STORE_URL": str(tmp_path / "uploads"),
            "PETIOLE_MODELS_STORE_URL": str(tmp_path / "models"),
        }.items():
            monkeypatch.setenv(name, value)
        once.begin_anew()
        yield Empty(tmp_path, client)


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


Members = dict[str, bytes]


def _of_later_format(members: Members) -> None:
    manifest = json.loads(members["manifest.json"])
    text = json.dumps({**manifest, "format": 99, "release": "9.9.0", "new": 1})
    members["manifest.json"] = text.encode()


def _with_other_bytes(members: Members) -> None:
    name = next(name for name in members if name.startswith("uploads/"))
    members[name] = bytes(len(members[name]))


def _with_a_way_out(members: Members) -> None:
    manifest = members.pop("manifest.json")
    members["models/../../out"] = b"x"
    members["manifest.json"] = manifest


def _without_a_picture(members: Members) -> None:
    del members[next(name for name in members if name.startswith("uploads/"))]


def _without_manifest(members: Members) -> None:
    del members["manifest.json"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_of_later_format, "format 99, made by release 9.9.0; this release reads formats up to 1"),
        (_with_other_bytes, "has other bytes than were backed up"),
        (_with_a_way_out, "'models/../../out' is nothing that a backup holds"),
        (_without_a_picture, "is not where its manifest says"),
        (_without_manifest, "it is cut off, or no backup"),
    ],
)
def test_a_bad_archive_changes_nothing(
    taken: Taken, empty: Empty, tmp_path: Path, harm: Callable[[Members], None], said: str
) -> None:
    """One line says what is wrong with it."""
    with tarfile.open(taken.file) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    harm(members)
    bad = tmp_path / "bad.tar"
    with tarfile.open(bad, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

    assert said in _refused(empty, bad)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_truncated_archive_changes_nothing(
    taken: Taken, empty: Empty, tmp_path: Path, share: float
) -> None:
    """Wherever it ends."""
    whole = taken.file.read_bytes()
    bad = tmp_path / "bad.tar"
    # Tar fills its file up with zeros, which nobody misses.
    bad.write_bytes(whole.rstrip(b"\0")[: int(share * len(whole.rstrip(b"\0")))])

    assert "is not restored: it is" in _refused(empty, bad)


def test_what_is_no_archive_changes_nothing(empty: Empty, tmp_path: Path) -> None:
    """A picture, say."""
    (tmp_path / "bad.tar").write_bytes(picture())

    assert "it is damaged, or no backup" in _refused(empty, tmp_path / "bad.tar")


def test_a_folders_backup_is_restored_into_a_bucket(
    taken: Taken, empty: Empty, bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models and pictures alike: this process works at once on what it queues."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", f"{bucket_url}/models")
    monkeypatch.setenv("PETIOLE_TASKS_IMAGE_STORE_URL", f"{bucket_url}/uploads")
    monkeypatch.setenv("PETIOLE_MODELS_CACHE_DIRECTORY", str(empty.directory / "cache"))
    once.begin_anew()
    done = empty.run("restore", str(taken.file))

    assert done.exit_code == 0, done.output
    store = ModelStore.open(f"{bucket_url}/models", cache_directory=empty.directory / "cache")
    store.verify(store.card("colours", 1))
    jobs = [stores.job_store().get(task_id) for task_id in taken.task_ids.values()]
    assert [job.state for job in jobs if job] == ["SUCCESS"] * len(COLOURS)


def test_models_with_other_bytes_are_left_alone(taken: Taken, empty: Empty) -> None:
    """Also where it is told to add: two histories of one name make none."""
    other = empty.directory / "models" / "colours" / "1" / "card.json"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    done = empty.run("restore", str(taken.file), "--add")

    assert "the model store has colours/1/card.json with other bytes" in done.stderr
    assert (empty.redis.dbsize(), other.read_text()) == (0, "mine")


def test_a_service_too_small_for_it_is_left_alone(
    taken: Taken, empty: Empty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the setting to raise."""
    monkeypatch.setenv("PETIOLE_TASKS_MAX_OPEN_JOBS", "2")

    assert "it needs PETIOLE_TASKS_MAX_OPEN_JOBS of 3; it is 2" in _refused(empty, taken.file)


def test_a_file_that_is_there_is_not_written_over(empty: Empty, tmp_path: Path) -> None:
    """It may be the last backup."""
    (tmp_path / "it.tar").write_text("mine")
    done = empty.run("backup", str(tmp_path / "it.tar"))

    assert done.exit_code == 1
    assert "is there already" in done.stderr
    assert (tmp_path / "it.tar").read_text() == "mine"


def _refused(at: Empty, file: Path) -> str:
    """Try to restore, and return the one line that is said once nothing is seen to be changed."""
    done = at.run("restore", str(file))

    assert at.redis.dbsize() == 0
    assert not {"models", "uploads"} & {each.name for each in at.directory.iterdir()}
    assert (done.exit_code, done.stderr.strip().count("\n")) == (1, 0), done.stderr
    return done.stderr
