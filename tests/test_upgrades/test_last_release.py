"""The last release beside this one: its messages, records, keys and cards, and its processes.

`recorded.json` is what 0.1 left in Redis, in its image store and in a card, byte for byte:
`python -m tests.test_upgrades.recording 1dd5937` makes it anew.
"""

import json
import shutil
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from model_store.card import ModelCard
from tasks import lanes
from tests.conftest import ROOT, picture
from tests.started_parts import HTTP_SECONDS, Place, place
from tests.test_end_to_end.conftest import wait_until
from tests.test_upgrades.recording import COLOURS, RECORDED, checkout, write

pytestmark = pytest.mark.end_to_end

LAST_RELEASE = "1dd5937"
"""What 0.1 was when its successor began."""
LOW = lanes.lane(lanes.CLASSIFY, lanes.LOW)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    """What was written by the last release while none of its workers ran."""
    document: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def upgraded(
    recorded: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[Place]:
    """Today's service on what the last release left."""
    folder = tmp_path_factory.mktemp("upgraded") / "place"
    with place(folder, original_environment, PETIOLE_API_REQUIRE_KEYS="true") as made:
        shutil.copytree(colour_store, folder / "models")
        (folder / "uploads").mkdir()
        for key, content in recorded["uploads"].items():
            (folder / "uploads" / key).write_bytes(b64decode(content))
        with redis.Redis.from_url(made.redis_url) as client:
            for name, each in recorded["redis"].items():
                write(client, name, each["type"], each["value"])
        for name in ("api", "worker", "downloader", "bulk"):
            made.start(name)
        yield made


def headers_of(recorded: dict[str, Any]) -> dict[str, str]:
    """Return what opens the service: a key that the last release made."""
    return {"Authorization": f"Bearer {recorded['token']}"}


def waiting_in(recorded: dict[str, Any], queue: str) -> list[str]:
    """Return the tasks whose messages waited in a queue."""
    messages = recorded["redis"][queue]["value"]
    return [json.loads(each)["headers"]["id"].partition(".")[0] for each in messages]


def test_its_pictures_are_answered(recorded: dict[str, Any], upgraded: Place) -> None:
    """Of both priorities, by the messages that it wrote, to the key that it made."""
    task_ids = waiting_in(recorded, "classify") + waiting_in(recorded, LOW)
    documents = [upgraded.ended(each, headers=headers_of(recorded)) for each in task_ids]

    labels = sorted(each["predictions"][0]["label"] for each in documents)
    assert labels == sorted(COLOURS.values())


def test_its_downloads_end(recorded: dict[str, Any], upgraded: Place) -> None:
    """The address leads nowhere, and its client is told so."""
    (task_id,) = waiting_in(recorded, "downloads")
    document = upgraded.ended(task_id, headers=headers_of(recorded))

    assert document["state"] == "FAILURE"
    assert "download" in document["error"]["type"]


def test_its_bulks_go_on(recorded: dict[str, Any], upgraded: Place) -> None:
    """From the first pack, which lists them, to a line for each picture."""
    bulk_id = waiting_in(recorded, "bulk")[0].removesuffix("-0")
    url = f"{upgraded.api}/bulk/{bulk_id}"

    def over() -> Any:
        said = requests.get(url, headers=headers_of(recorded), timeout=HTTP_SECONDS).json()
        return said if said["state"] == "SUCCESS" else None

    assert (told := wait_until(over, seconds=90))["done"] == len(COLOURS), told


def test_what_its_clients_send_once_more_is_the_same_job(
    recorded: dict[str, Any], upgraded: Place
) -> None:
    """Digests of requests are made as they were."""
    headers = headers_of(recorded) | {"Idempotency-Key": "red"}
    again = upgraded.post("/classify", picture("red"), headers=headers)

    assert again.json()["task_id"] in waiting_in(recorded, "classify")


def test_its_trail_goes_on(upgraded: Place) -> None:
    """The line of its key is there."""
    (line,) = upgraded.run("audit", "--json").stdout.splitlines()

    assert json.loads(line)["what"] == "key-created"


def test_its_cards_are_read(recorded: dict[str, Any]) -> None:
    """And say the same when they are written again."""
    card = ModelCard.from_json(recorded["card"])

    assert json.loads(card.to_json()) == json.loads(recorded["card"])


@pytest.fixture(scope="module")
def last_release() -> Iterator[Path]:
    """The files of the last release, where the history reaches so far."""
    with checkout(LAST_RELEASE) as code:
        if code is None:
            pytest.skip(f"no commit {LAST_RELEASE} in this checkout; recorded.json is tested alone")
        yield code


@pytest.mark.parametrize("is_new_api", [True, False], ids=["new API", "new worker"])
def test_pictures_are_answered_by_a_worker_of_the_other_release(
    last_release: Path,
    tmp_path: Path,
    colour_store: str,
    original_environment: dict[str, str],
    *,
    is_new_api: bool,
) -> None:
    """As while one takes the place of the other."""
    codes = (ROOT, last_release) if is_new_api else (last_release, ROOT)
    with place(tmp_path / "place", original_environment) as made:
        shutil.copytree(colour_store, tmp_path / "place" / "models")
        made.start("api", code=codes[0])
        made.start("worker", code=codes[1])
        sent = {c: made.post("/classify", picture(c)).json()["task_id"] for c in COLOURS}
        documents = {colour: made.ended(task_id) for colour, task_id in sent.items()}

    labels = {colour: each["predictions"][0]["label"] for colour, each in documents.items()}
    assert labels == COLOURS
