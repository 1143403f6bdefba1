"""Jobs that lose their message or their worker come back within seconds, whatever holds them."""

import os
import signal
import time
from pathlib import Path

import pytest
import redis

from tests.conftest import picture
from tests.test_end_to_end.conftest import RunningService, wait_until

pytestmark = pytest.mark.end_to_end

MOST_ATTEMPTS = 3
PROMPT_SECONDS = 40.0
"""Far below the visibility timeout of 150 s, which brought them back before; the figures are
measured by `make chaos`."""


def ended(service: RunningService, task_id: str) -> dict | None:
    """Return the finished document, or None."""
    response = service.get(f"/result/{task_id}")
    return response.json() if response.status_code == 200 else None


def finished(service: RunningService, task_ids: list[str]) -> list[str]:
    """Return the states of jobs once all are over, soon."""
    documents = [
        wait_until(lambda t=t: ended(service, t), seconds=PROMPT_SECONDS) for t in task_ids
    ]
    return [document["state"] for document in documents]


def test_a_message_that_a_dead_worker_took_is_not_lost(service: RunningService) -> None:
    """Redis hands it to a frozen worker, which is then killed: nobody has it any more."""
    worker = service.part("worker")
    wait_until(lambda: service.get("/readyz").ok)
    worker.suspend()
    time.sleep(0.2)
    task_ids = [service.classify().json()["task_id"] for _ in range(3)]
    worker.kill()

    assert finished(service, task_ids) == ["SUCCESS"] * 3
    wait_until(lambda: service.get("/readyz").ok)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A picture that takes half a second to decode."""
    path = tmp_path / "slow.png"
    path.write_bytes(picture(size=(6000, 6000), kind="PNG"))
    return path


def test_pictures_of_a_killed_main_process_come_back(service: RunningService, slow: Path) -> None:
    """Its children had begun with them, or were about to; the replacement answers them."""
    worker = service.part("worker")
    children = worker.children()
    task_ids = [service.classify(slow).json()["task_id"] for _ in range(4)]
    with redis.Redis.from_url(service.redis_url) as client:
        wait_until(lambda: client.zcard("petiole:started"))
        for child in children:
            child.suspend()
        begun = client.zcard("petiole:started")
    worker.kill()

    assert begun
    assert finished(service, task_ids) == ["SUCCESS"] * 4
    wait_until(lambda: service.get("/readyz").ok)


def test_a_purged_queue_is_noticed(service: RunningService) -> None:
    """Every message thrown away by hand: the jobs are sent again."""
    children = service.part("worker").children()
    for child in children:
        child.suspend()
    task_ids = [service.classify().json()["task_id"] for _ in range(6)]
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete("classify")
    for child in children:
        child.resume()

    assert finished(service, task_ids) == ["SUCCESS"] * 6


def test_a_picture_that_takes_every_worker_with_it_fails(
    service: RunningService, slow: Path
) -> None:
    """Whichever child has it in hand is killed; the third time is the last, and the rest go on."""
    task_id, killed = service.classify(slow).json()["task_id"], set[str]()
    with redis.Redis.from_url(service.redis_url, decode_responses=True) as client:
        while not (document := ended(service, task_id)):
            owner = client.hget(f"petiole:job:{task_id}", "owner") or ""
            if owner and owner not in killed:
                killed.add(owner)
                os.kill(int(owner.rpartition(":")[2]), signal.SIGKILL)
            assert len(killed) <= MOST_ATTEMPTS

    assert (document["state"], len(killed)) == ("FAILURE", MOST_ATTEMPTS)
    assert document["error"]["type"] == "/problems#worker-lost"
    assert service.classify(wait=30).json()["state"] == "SUCCESS"
