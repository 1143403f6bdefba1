"""A bulk in real processes: whatever is killed, each picture has one line."""

import json
from typing import Any

import psutil
import pytest
import requests

from petiole import parts
from petiole.parts import Part
from tests.conftest import picture
from tests.test_bulk.conftest import zipped
from tests.test_end_to_end.conftest import alive, wait_until
from tests.test_workers.conftest import FAULTY, HTTP_SECONDS, Stage
from tests.test_workers.faulty import DEADLY

pytestmark = pytest.mark.end_to_end

COLOURS = ("red", "green", "blue")
CHILDREN, PICTURES = 2, 300
LARGE = (1600, 1200)
"""So many pixels of a PNG take long enough that the middle of a bulk is there to be hit."""
SMALL_PACKS = {"PETIOLE_TASKS_BULK_PACK_PICTURES": "4"}


def bulk_worker(app: str = "tasks") -> Part:
    """Return a worker of bulks, of an app or the app."""
    command = parts.bulk_worker(CHILDREN).command
    return Part("bulk", tuple(app if word == "tasks" else word for word in command))


def sent(stage: Stage, members: dict[str, bytes]) -> str:
    """Send a zip archive and return the id of its bulk."""
    answer = requests.post(f"{stage.api_url}/bulk", data=zipped(members), timeout=HTTP_SECONDS)
    return str(answer.json()["bulk_id"])


def ended(stage: Stage, bulk_id: str) -> dict[str, Any] | None:
    """Return how a bulk ended, or nothing while it has not."""
    status: dict[str, Any] = stage.get(f"/bulk/{bulk_id}").json()
    return status if status["state"] in {"SUCCESS", "FAILURE", "REVOKED"} else None


def lines(stage: Stage, bulk_id: str) -> list[dict[str, Any]]:
    """Return the results of a bulk."""
    return [json.loads(line) for line in stage.get(f"/bulk/{bulk_id}/results").text.splitlines()]


def children_of(process: psutil.Process) -> list[psutil.Process]:
    """Return the children of a worker that live."""
    return alive(process.children())


def done(stage: Stage, bulk_id: str) -> int:
    """Return how many pictures of a bulk have their line."""
    return int(stage.get(f"/bulk/{bulk_id}").json()["done"])


def kill_children_at_work(stage: Stage, worker: psutil.Process, bulk_id: str) -> None:
    """Wait until a bulk has got on, kill the children of its worker, and wait for new ones."""
    before = done(stage, bulk_id)
    wait_until(lambda: done(stage, bulk_id) > before)
    for child in children_of(worker):
        child.kill()
    wait_until(lambda: len(children_of(worker)) == CHILDREN)


def test_whatever_is_killed_each_picture_has_one_line(stage: Stage) -> None:
    """Children, again and again, then the main process; another worker goes on."""
    colours = [picture(colour, size=LARGE, kind="PNG") for colour in COLOURS]
    members = {f"{i}.png": colours[i % len(colours)] for i in range(PICTURES)}
    with stage.running(bulk_worker(), **SMALL_PACKS) as worker:
        bulk_id = sent(stage, members)
        for _ in range(3):
            kill_children_at_work(stage, worker, bulk_id)
        is_unfinished = ended(stage, bulk_id) is None
        for each in (worker, *children_of(worker)):
            each.kill()
    with stage.running(bulk_worker()):
        status = wait_until(lambda: ended(stage, bulk_id), seconds=120)

    assert is_unfinished
    assert (status["done"], status["failed"]) == (PICTURES, 0)
    assert sorted(line["number"] for line in lines(stage, bulk_id)) == list(range(PICTURES))


def test_a_picture_that_takes_its_worker_with_it_fails_alone(stage: Stage) -> None:
    """It has its problem, and those that were in work with it have their labels."""
    deadly = picture("blue") + DEADLY
    members = {"red.jpg": picture("red"), "deadly.jpg": deadly, "green.jpg": picture("green")}
    with stage.running(bulk_worker(FAULTY)):
        bulk_id = sent(stage, members)
        wait_until(lambda: ended(stage, bulk_id), seconds=120)
        found = {line["name"]: line for line in lines(stage, bulk_id)}

    assert [found[name]["state"] for name in members] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert found["deadly.jpg"]["error"]["type"] == "/problems#worker-lost"
