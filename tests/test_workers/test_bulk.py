"""A bulk in real processes: whatever is killed, each picture has one line."""

import json
import socket
from typing import Any

import psutil
import pytest
import requests

from petiole import parts
from petiole.parts import Part
from tasks.job_stores.redis_upkeep import READY_MEMBERS
from tests.conftest import picture
from tests.test_bulk.conftest import zipped
from tests.test_end_to_end.conftest import alive, wait_until
from tests.test_workers.conftest import FAULTY, HTTP_SECONDS, Stage
from tests.test_workers.faulty import DEADLY, SLOW

pytestmark = pytest.mark.end_to_end

COLOURS = ("red", "green", "blue")
CHILDREN, PICTURES = 2, 400
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
    members = {f"{i}.jpg": picture(COLOURS[i % 3]) + SLOW for i in range(PICTURES)}
    with stage.running(bulk_worker(FAULTY), **SMALL_PACKS) as worker:
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


def stored(stage: Stage) -> list[str]:
    """Return the objects of bulks in the image store."""
    return [path.name for path in (stage.directory / "uploads").glob("bulk-*")]


def test_a_body_that_breaks_off_leaves_nothing(stage: Stage) -> None:
    """It is written to a file as it comes, and that goes with its connection."""
    for name in stored(stage):
        (stage.directory / "uploads" / name).unlink()
    port = int(stage.api_url.rpartition(":")[2])
    head = b"POST /bulk HTTP/1.1\r\nHost: here\r\nContent-Length: 9000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=HTTP_SECONDS) as client:
        client.sendall(head + bytes(3_000_000))
        while_it_comes = wait_until(lambda: stored(stage))
    wait_until(lambda: not stored(stage))

    assert len(while_it_comes) == 1


def test_results_come_as_they_are_made(stage: Stage) -> None:
    """A client that waits holds no thread, and gets each line while the rest is in work."""
    members = {f"{i}.jpg": picture(COLOURS[i % 3]) for i in range(40)}
    bulk_id = sent(stage, members)
    address = f"{stage.api_url}/bulk/{bulk_id}"
    requests.post(f"{address}/pause", timeout=HTTP_SECONDS).raise_for_status()
    with (
        requests.get(f"{address}/results?wait=90", stream=True, timeout=90) as results,
        stage.running(bulk_worker(), **SMALL_PACKS),
    ):
        paused = requests.post(f"{address}/pause", timeout=HTTP_SECONDS).json()
        resumed = requests.post(f"{address}/resume", timeout=HTTP_SECONDS).json()
        found = [json.loads(line) for line in results.iter_lines(chunk_size=1) if line]

    assert (paused["state"], paused["done"]) == ("PAUSED", 0)
    assert resumed["state"] in {"PENDING", "STARTED"}
    assert sorted(line["number"] for line in found) == list(range(40))


def test_where_nobody_takes_bulks_it_is_said(stage: Stage) -> None:
    """While one waits, with what to do; single pictures have nothing to do with it."""
    stage.redis.delete(READY_MEMBERS)
    before = stage.get("/readyz").json()["warnings"]
    bulk_id = sent(stage, {"a.jpg": picture("red")})
    waiting = stage.get("/readyz").json()["warnings"]
    requests.delete(f"{stage.api_url}/bulk/{bulk_id}", timeout=HTTP_SECONDS).raise_for_status()
    after = stage.get("/readyz").json()["warnings"]

    assert before == after
    (said,) = set(waiting) - set(before)
    assert said.startswith("no worker takes bulk, and bulks wait; start one: ")


def test_a_cancelled_bulk_is_over_at_once(stage: Stage) -> None:
    """Its body is deleted, and a worker that finds its packs does nothing."""
    bulk_id = sent(stage, {"a.jpg": picture("red")})
    address = f"{stage.api_url}/bulk/{bulk_id}"
    cancelled = requests.post(f"{address}/cancel", timeout=HTTP_SECONDS).json()
    left = [name for name in stored(stage) if bulk_id in name]
    with stage.running(bulk_worker()):
        after = sent(stage, {"a.jpg": picture("red")})
        wait_until(lambda: ended(stage, after))

    assert (cancelled["state"], left) == ("REVOKED", [])
    assert (stage.get(f"/bulk/{bulk_id}").json()["done"], lines(stage, bulk_id)) == (0, [])
    assert f"{bulk_id}-0" not in stage.redis.zrange("petiole:open:bulk", 0, -1)
