"""The contract with clients, with two API processes, a real Redis and real children."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import requests

from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import (
    HTTP_SECONDS,
    SAMPLE,
    RunningService,
    environment_for,
    frozen_children,
    start,
    wait_until,
)

pytestmark = pytest.mark.end_to_end

MOST_OPEN = 60


@pytest.fixture(scope="module")
def twins(
    tmp_path_factory: pytest.TempPathFactory, original_environment: dict[str, str]
) -> Iterator[RunningService]:
    """A service with two API processes and room for sixty pictures."""
    state = tmp_path_factory.mktemp("twins")
    environment = environment_for(state, original_environment)
    environment |= {
        "PETIOLE_API_PROCESSES": "2",
        "PETIOLE_TASKS_MAX_OPEN_JOBS": str(MOST_OPEN),
    }
    running = start(environment, state / "output")
    yield running
    assert running.stop() == 0


def post(service: RunningService, **options: object) -> requests.Response:
    """POST the sample over a connection of its own."""
    headers = {"Content-Type": "image/jpeg", **options.pop("headers", {})}
    image, url = SAMPLE.read_bytes(), f"{service.api}/classify"
    return requests.post(url, data=image, headers=headers, params=options, timeout=HTTP_SECONDS)


def document(service: RunningService, task_id: str) -> dict:
    """Return the finished document."""
    return wait_until(
        lambda: (r := service.get(f"/result/{task_id}?wait=5")).status_code == 200 and r.json()
    )


def celery_state(service: RunningService, task_id: str) -> str:
    """Return what Celery's own view says, in a process of its own."""
    program = "import sys; from tasks import app; print(app.AsyncResult(sys.argv[1]).state)"
    environment = {**service.environment, "REDIS_URL": service.redis_url}
    command = [sys.executable, "-c", program, task_id]
    return subprocess.check_output(command, cwd=ROOT, env=environment, text=True).strip()


def uploads_of(service: RunningService) -> list[Path]:
    """Return the pictures that are stored."""
    return [path for path in (service.state / "uploads").rglob("*") if path.is_file()]


def test_a_full_service_takes_exactly_its_bound(twins: RunningService) -> None:
    """Two processes and sixteen senders: sixty are accepted and answered, the rest is told when."""
    with frozen_children(twins), ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(twins), range(2 * MOST_OPEN)))
    accepted = [a.json()["task_id"] for a in answers if a.status_code == 202]
    refused = [a for a in answers if a.status_code == 503]
    states = {document(twins, task_id)["state"] for task_id in accepted}

    assert (len(accepted), len(refused)) == (MOST_OPEN, MOST_OPEN)
    assert all(1 <= int(r.headers["Retry-After"]) <= 60 for r in refused)
    assert states == {"SUCCESS"}
    assert "petiole_open_pictures 0.0" in twins.get("/metrics").text
    # A child deletes the picture a moment after it has written the end.
    wait_until(lambda: not uploads_of(twins), seconds=5.0)


def ended_at(service: RunningService, task_ids: list[str]) -> list[str]:
    """Return when each task ended, as Celery's results say, which are written with the end."""
    for task_id in task_ids:
        document(service, task_id)
    with redis.Redis.from_url(service.redis_url, decode_responses=True) as client:
        results = client.mget([f"celery-task-meta-{task_id}" for task_id in task_ids])
    return sorted(json.loads(result)["date_done"] for result in results)


def test_the_api_and_redis_take_no_core_from_a_picture(twins: RunningService) -> None:
    """The classify children are scheduled as ever, and nothing that wakes up interrupts them."""
    waiting = [twins.part("redis"), *twins.part("api").children()]
    working = twins.part("worker").children()

    assert {os.sched_getscheduler(each.pid) for each in waiting} == {os.SCHED_BATCH}
    assert {os.sched_getscheduler(each.pid) for each in working} == {os.SCHED_OTHER}


def test_low_priority_never_delays_the_rest(twins: RunningService) -> None:
    """Fifty low ones wait; five that come later are over before all but those in hand already."""
    in_hand = 2 * 2  # of two children, and as many in their worker's
    with frozen_children(twins):
        low = [post(twins, priority="low").json()["task_id"] for _ in range(50)]
        normal = [post(twins).json()["task_id"] for _ in range(5)]
        ahead = twins.get(f"/result/{low[-1]}").json()["ahead"]

    assert 50 - in_hand <= ahead + 1 - len(normal) <= 50
    assert ended_at(twins, normal)[-1] < ended_at(twins, low)[in_hand]


def test_a_low_message_that_is_lost_comes_back(twins: RunningService) -> None:
    """Its list is watched like the others."""
    with frozen_children(twins):
        task_ids = [post(twins, priority="low").json()["task_id"] for _ in range(10)]
        with redis.Redis.from_url(twins.redis_url, decode_responses=True) as client:
            lists = [key for key in client.scan_iter("classify*") if client.type(key) == "list"]
            client.delete(*lists)

    assert len(lists) == 1
    assert lists[0] != "classify"
    assert {document(twins, task_id)["state"] for task_id in task_ids} == {"SUCCESS"}


def test_one_key_in_two_processes_is_one_task(twins: RunningService) -> None:
    """Sixteen at the same moment: one id, one picture classified."""
    headers = {"Idempotency-Key": "order 4711"}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(twins, headers=headers, wait=20), range(16)))
    other = post(twins, headers=headers, top_k=1)

    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["task_id"] for a in answers}) == 1
    assert (other.status_code, other.json()["type"]) == (422, "/problems#idempotency-key-reused")


def test_what_nobody_waits_for_is_dropped(twins: RunningService) -> None:
    """Although no child takes it; Celery's own view says the same."""
    with frozen_children(twins):
        posted = [post(twins, deadline=0.5).json()["task_id"] for _ in range(6)]
        ended = document(twins, posted[-1])

    assert (ended["state"], ended["reason"]) == ("REVOKED", "deadline")
    assert celery_state(twins, posted[-1]) == "REVOKED"
    assert {document(twins, task_id)["state"] for task_id in posted} <= {"REVOKED", "SUCCESS"}


def test_a_running_picture_is_cancelled(twins: RunningService, tmp_path: Path) -> None:
    """Half a second of decoding is time enough; its child goes on with the next one."""
    slow = tmp_path / "slow.png"
    slow.write_bytes(picture(size=(6000, 6000), kind="PNG"))
    task_id = twins.classify(slow).json()["task_id"]
    url = f"/result/{task_id}"
    wait_until(lambda: twins.get(url).json()["state"] == "STARTED")
    cancelled = requests.delete(twins.api + url, timeout=HTTP_SECONDS)
    after = post(twins, wait=20).json()["state"]

    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "REVOKED")
    assert (twins.get(url).json()["state"], after) == ("REVOKED", "SUCCESS")
    assert celery_state(twins, task_id) == "REVOKED"


def test_a_forgotten_picture_is_gone_everywhere(twins: RunningService) -> None:
    """204, then 410; Celery does not know it either."""
    url = f"/result/{post(twins, wait=20).json()['task_id']}"
    statuses = [requests.delete(twins.api + url, timeout=HTTP_SECONDS).status_code for _ in "ab"]

    assert statuses == [204, 410]
    assert twins.get(url).status_code == 410
    assert celery_state(twins, url.rpartition("/")[2]) == "PENDING"
