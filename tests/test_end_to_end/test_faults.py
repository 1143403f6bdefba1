"""Killed children, a stopped broker, crashed parts, Ctrl-C: the service answers or says why."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis

from tests.conftest import ROOT, free_port
from tests.test_end_to_end.conftest import (
    RunningService,
    alive,
    environment_for,
    start,
    wait_until,
)

pytestmark = pytest.mark.end_to_end


def classify_children(service: RunningService) -> list[psutil.Process]:
    """Return the pool processes of the classify worker."""
    return service.part("worker").children()


def ready_pids(service: RunningService) -> set[int]:
    """Return the ids of the warm children that `/readyz` lists."""
    response = service.get("/readyz")
    children = response.json().get("children", []) if response.ok else []
    return {int(child["process"].rpartition(":")[2]) for child in children}


def test_a_killed_child_is_replaced_and_serves(service: RunningService) -> None:
    """Both children die; the replacements load the model and answer."""
    old = {child.pid for child in classify_children(service)}
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    answer = service.classify(wait=30)
    answered = wait_until(lambda: service.get(f"/result/{answer.json()['task_id']}").json())
    wait_until(lambda: len(ready_pids(service) - old) == 2)

    assert answered["state"] == "SUCCESS"
    assert {child.pid for child in classify_children(service)}.isdisjoint(old)


def test_a_picture_in_a_killed_child_is_not_lost(service: RunningService) -> None:
    """The child dies with the work in hand; another one finishes it."""
    children = classify_children(service)
    for child in children:
        child.suspend()
    accepted = [service.classify().json()["task_id"] for _ in range(4)]
    time.sleep(1.0)  # the parent hands the first two to the stopped children
    for child in children:
        child.kill()
    states = [
        wait_until(lambda t=t: (r := service.get(f"/result/{t}")).status_code == 200 and r.json())
        for t in accepted
    ]

    assert [document["state"] for document in states] == ["SUCCESS"] * 4


def test_waiting_tasks_can_be_revoked_and_the_rest_run(service: RunningService) -> None:
    """With the worker stopped everything waits; what is revoked never runs."""
    worker = service.part("worker")
    worker.suspend()
    kept, revoked = (service.classify().json()["task_id"] for _ in range(2))
    answer = service.get(f"/result/{revoked}")
    deleted = _delete(service, revoked)
    worker.resume()
    finished = wait_until(lambda: (r := service.get(f"/result/{kept}")).status_code == 200 and r)

    assert (answer.json()["state"], deleted) == ("PENDING", 200)
    assert finished.json()["state"] == "SUCCESS"
    assert service.get(f"/result/{revoked}").json()["state"] == "REVOKED"
    with redis.Redis.from_url(service.redis_url, decode_responses=True) as client:
        assert '"status": "REVOKED"' in client.get(f"celery-task-meta-{revoked}")


def test_a_stall_while_waiting_does_not_unaccept_a_job(service: RunningService) -> None:
    """The wait ends while Redis is frozen, which accepted the job before: no error, but its id."""
    children = classify_children(service)
    for child in children:
        child.suspend()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(service.classify, wait=3)
        time.sleep(1.5)
        service.part("redis").suspend()
        time.sleep(4)
        service.part("redis").resume()
        for child in children:
            child.resume()
        accepted = waiting.result()
    task_id = accepted.json()["task_id"]
    finished = wait_until(lambda: (r := service.get(f"/result/{task_id}")).status_code == 200 and r)

    assert accepted.status_code in {200, 202}
    assert finished.json()["state"] == "SUCCESS"


def test_a_revocation_from_flower_reaches_the_client(service: RunningService) -> None:
    """Celery's own revoke ends the job, so nobody polls it for ever."""
    children = classify_children(service)
    for child in children:
        child.suspend()
    *_, task_id = (service.classify().json()["task_id"] for _ in range(5))
    # Broadcasts reach only who listens: a worker that has just reconnected may not do so yet.
    program = (
        "from tasks import app\n"
        "while len(app.control.ping(timeout=2)) < 2: pass\n"
        f"app.control.revoke({task_id!r})"
    )
    environment = {**service.environment, "REDIS_URL": service.redis_url}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)
    time.sleep(1.0)  # the parent hears of it while its children hold the tasks before
    for child in children:
        child.resume()

    assert wait_until(lambda: service.get(f"/result/{task_id}").json()["state"] == "REVOKED")


def _delete(service: RunningService, task_id: str) -> int:
    import requests

    return requests.delete(f"{service.api}/result/{task_id}", timeout=10).status_code


def test_a_stopped_broker_is_503_and_heals(service: RunningService) -> None:
    """A hung server, not a refused connection: no request hangs, none is half accepted."""
    server = service.part("redis")
    server.suspend()
    started = time.monotonic()
    refused, ready = service.classify(), service.get("/readyz")
    elapsed = time.monotonic() - started
    server.resume()
    wait_until(lambda: service.get("/readyz").ok)

    assert (refused.status_code, ready.status_code) == (503, 503)
    assert "Retry-After" in refused.headers
    assert elapsed < 20  # far from a hang; the promise of 3 s for one is measured elsewhere
    assert service.classify(wait=30).status_code == 200


def test_a_killed_server_is_restarted_and_keeps_results(service: RunningService) -> None:
    """Redis dies by kill -9: reported, restarted from its append-only file, the service goes on."""
    task_id = service.classify(wait=30).json()["task_id"]
    time.sleep(1.5)  # the append-only file is synced every second
    service.part("redis").kill()
    wait_until(lambda: "redis started again" in service.log.read_text())
    wait_until(lambda: service.get("/readyz").ok)

    assert service.get(f"/result/{task_id}").json()["state"] == "SUCCESS"
    assert wait_until(lambda: service.classify(wait=30).status_code == 200)


@pytest.mark.parametrize("name", ["worker", "downloader", "api", "flower"])
def test_a_part_that_dies_is_restarted(service: RunningService, name: str) -> None:
    """Also its orphaned children are gone before the new one starts."""
    part = service.part(name)
    family = [part, *part.children(recursive=True)]
    part.kill()
    wait_until(lambda: _restarted(service, name, part.pid))
    wait_until(lambda: f"{name} started again" in service.log.read_text())

    assert alive(family) == []
    assert wait_until(lambda: _answers(service))


def _restarted(service: RunningService, name: str, old_pid: int) -> bool:
    try:
        return service.part(name).pid != old_pid
    except ValueError:
        return False


def _answers(service: RunningService) -> bool:
    import requests

    try:
        return service.classify(wait=30).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_running(
    tmp_path: Path, original_environment: dict[str, str], number: int
) -> None:
    """Also when a part has crashed a moment before; state survives to the next start."""
    environment = environment_for(tmp_path, original_environment)
    running = start(environment, tmp_path / "output")
    task_id = running.classify(wait=30).json()["task_id"]
    running.part("worker").kill()
    everything = running.processes()
    status = running.stop(number)
    again = start(environment, tmp_path / "output")
    kept = again.get(f"/result/{task_id}").json()
    again.stop(number)

    assert (status, kept["state"]) == (0, "SUCCESS")
    assert alive(everything) == []


def test_a_taken_port_is_one_clear_line(
    tmp_path: Path, original_environment: dict[str, str]
) -> None:
    """No traceback, and the setting to change is named."""
    import socket

    environment = environment_for(tmp_path, original_environment)
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        environment["PETIOLE_API_PORT"] = str(port)
        finished = subprocess.run(
            [sys.executable, "-m", "petiole", "up"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    line = f"petiole: port {port} for api is taken; on free ports it starts with: PETIOLE_API_PORT="
    assert (finished.returncode, finished.stderr.count("\n")) == (1, 1)
    assert finished.stderr.startswith(line)
