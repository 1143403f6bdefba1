"""Every pool gives every picture its own answer, or is refused when the worker starts."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import requests

from tasks import worker_start
from tasks.job_stores.redis_upkeep import READY_MEMBERS
from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import alive, wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, worker

pytestmark = pytest.mark.end_to_end

COLOURS = ("red", "green", "blue") * 10


def label_of(stage: Stage, colour: str) -> str:
    """Return what the service says of a picture of one colour."""
    answer = requests.post(
        f"{stage.api_url}/classify?wait=25",
        data=picture({"green": "lime"}.get(colour, colour)),
        headers={"Content-Type": "image/jpeg"},
        timeout=HTTP_SECONDS,
    ).json()
    return str(answer["predictions"][0]["label"]) if "predictions" in answer else str(answer)


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_every_pool_answers_rightly(stage: Stage, pool: str) -> None:
    """Also with more threads than a runtime's one set of tensors."""
    with stage.working(worker("--pool", pool, "--concurrency", "4")), ThreadPoolExecutor(8) as ask:
        labels = tuple(ask.map(lambda colour: label_of(stage, colour), COLOURS))

    assert labels == COLOURS


@pytest.mark.parametrize("pool", ["celery.concurrency.gevent", "eventlet"])
def test_a_green_pool_is_refused(pool: str) -> None:
    """With what to use instead."""
    with pytest.raises(SystemExit, match=r"does not work here.*use prefork, threads or solo"):
        worker_start.refuse_green_pool(SimpleNamespace(pool_cls=pool))


def test_gevent_is_refused_by_its_command(stage: Stage) -> None:
    """In the last line, with what to use instead."""
    command = [*worker("--pool", "gevent").command]
    ran = subprocess.run(
        command, cwd=ROOT, env=stage.environment, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("petiole: the pool gevent does not work here")


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_lost_worker_loses_no_picture_in_any_pool(stage: Stage, pool: str) -> None:
    """What it held is done by the next one."""
    part = worker("--pool", pool, "--concurrency", "2", queue="classify,downloads")
    with stage.working(part) as process:
        accepted = stage.accepted(2, picture(size=(6000, 6000), kind="PNG"))
        wait_until(lambda: "STARTED" in stage.states(accepted))
        process.kill()
    with stage.working(part):
        stage.answered(accepted, seconds=120)


def test_children_come_and_go(stage: Stage) -> None:
    """With `--autoscale`: the picture that a hung child has waits, the others do not."""
    part = worker("--autoscale=3,1")
    with stage.working(part) as process:
        (first,) = process.children()
        first.suspend()
        accepted = stage.accepted(4)
        wait_until(lambda: stage.states(accepted).count("SUCCESS") == 3)
        first.resume()
        stage.answered(accepted, seconds=20)

    assert "Scaling up" in stage.log


def test_celery_multi_starts_and_stops(stage: Stage, tmp_path: Path) -> None:
    """A worker in the background, with the files that it is given."""
    stage.redis.delete(READY_MEMBERS)
    place = tmp_path / "one.pid"
    multi(stage, tmp_path, "start", "-Q", "classify", "-c", "1", "-l", "INFO")
    process = psutil.Process(int(wait_until(lambda: place.exists() and place.read_text())))
    try:
        wait_until(lambda: stage.get("/readyz").ok)
        stage.answered(stage.accepted(3), seconds=20)
        multi(stage, tmp_path, "stopwait")
        process.wait(timeout=20)
    finally:
        for each in alive([process, *process.children()] if process.is_running() else []):
            each.kill()

    log = (tmp_path / "one.log").read_text()
    assert "models ready" in log
    assert "Traceback" not in log


def multi(stage: Stage, directory: Path, verb: str, *options: str) -> None:
    """Give an order to `celery multi`."""
    files = [f"--pidfile={directory}/%n.pid", f"--logfile={directory}/%n.log"]
    command = [sys.executable, "-m", "celery", "-A", "tasks", "multi", verb, "one", *files]
    subprocess.run([*command, *options], cwd=ROOT, env=stage.environment, check=True, timeout=60)


def test_a_download_worker_leaves_pictures_alone(stage: Stage) -> None:
    """It has no model, and perhaps no runtime; whoever tells it to finds out from its log."""
    with stage.working(worker()):
        pass
    with stage.running(worker("--pool", "threads", queue="downloads")):
        wait_until(lambda: "ready." in stage.log)
        stage.tell("add_consumer", "classify")
        accepted = stage.accepted(2)
        log = stage.log
        states = stage.states(accepted)
    with stage.working(worker()):
        stage.answered(accepted, seconds=20)

    assert "queue not taken up" in log
    assert states == ["PENDING", "PENDING"]
