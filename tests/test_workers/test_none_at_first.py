"""Zero workers, as KEDA leaves them: jobs wait, one worker comes, they are done."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import ROOT
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end
NODE = "classify@alone"
PICTURES = 5


def open_work(stage: Stage) -> int:
    """Return what KEDA is told of single pictures."""
    return int(stage.get("/metrics/open-work").json()["classify"])


def ping(stage: Stage, *options: str, **further: str) -> int:
    """Return the status of a worker's health check, which runs beside it."""
    command = [sys.executable, "-m", "tasks.ping", *options]
    environment = stage.environment | further
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return told.returncode


def test_jobs_wait_for_the_first_worker(stage: Stage) -> None:
    """The API takes them without one, and says how many; it is not ready, and lives."""
    before = open_work(stage)
    waiting = stage.accepted(PICTURES)
    states, said = stage.states(waiting), (before, open_work(stage))
    ready, lives = stage.get("/readyz").status_code, stage.get("/livez").status_code
    with stage.working(worker()):
        stage.answered(waiting, seconds=60)
        after = wait_until(lambda: open_work(stage) == 0)

    assert (states, said) == (["PENDING"] * PICTURES, (0, PICTURES))
    assert (ready, lives, after) == (503, 200, True)


@pytest.fixture(scope="module")
def probed(stage: Stage) -> Iterator[str]:
    """A worker that is ready, and its name."""
    with ExitStack() as stack:
        stack.enter_context(stage.working(worker()))
        yield f"classify@{os.uname().nodename}"


def test_a_worker_with_a_warm_model_is_ready(stage: Stage, probed: str) -> None:
    """By its own name; a worker of another name, or of another queue, is not."""
    wait_until(lambda: ping(stage, probed, "--ready") == 0)

    assert ping(stage, probed, "--live") == 0
    assert ping(stage, NODE, "--ready") == 1
    assert ping(stage, probed.replace("classify", "bulk"), "--ready") == 1


def test_a_redis_that_is_away_ends_no_worker(stage: Stage, probed: str) -> None:
    """It is not ready then; only one that does not answer is started anew."""
    away = {"REDIS_URL": "redis://127.0.0.1:1/0"}

    assert ping(stage, probed, "--ready", **away) == 1
    assert ping(stage, probed, "--live", **away) == 0
    assert ping(stage, NODE, "--live") == 1
