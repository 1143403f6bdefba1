"""What `celery inspect`, `control` and `purge` do to a worker, and that nothing ends over them."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from celery import Celery

from tests.conftest import ROOT
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end

QUESTIONS = (
    *("ping", "active", "stats", "registered", "scheduled", "reserved", "revoked"),
    *("active_queues", "conf", "report", "clock"),
)


@pytest.fixture(scope="module")
def process(stage: Stage) -> Iterator[psutil.Process]:
    """One worker for all of them, which the last test ends."""
    with stage.working(worker("--concurrency", "2", queue="classify,downloads")) as process:
        yield process


@pytest.fixture
def program(stage: Stage) -> Iterator[Celery]:
    """Whoever asks."""
    with Celery(broker=stage.redis_url, set_as_current=False) as app:
        app.conf.broker_read_url = app.conf.broker_write_url = stage.redis_url
        app.backend_cls = "disabled"
        yield app


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_answered(
    program: Celery, process: psutil.Process, question: str
) -> None:
    """By the worker, whatever it is."""
    inspect = program.control.inspect(timeout=10, limit=1)
    answers = getattr(inspect, question)()

    assert len(answers) == 1
    assert process.is_running()


def test_a_picture_is_not_shown(program: Celery, process: psutil.Process) -> None:
    """What waits for its time is told without its bytes."""
    del process
    sent = program.send_task(
        "classify_picture", kwargs={"image": "A" * 9999}, queue="classify", countdown=60
    )
    inspect = program.control.inspect(timeout=10, limit=1)
    scheduled = wait_until(lambda: [s for each in inspect.scheduled().values() for s in each])
    program.control.revoke(sent.id)

    assert [each["request"]["id"] for each in scheduled] == [sent.id]
    assert "AAAA" not in str(scheduled)


def test_a_purge_loses_no_job(stage: Stage, process: psutil.Process) -> None:
    """Their messages are gone, and are sent again."""
    children = process.children()
    for each in children:
        each.suspend()
    accepted = stage.accepted(12)
    command = [sys.executable, "-m", "celery", "-A", "tasks", "purge", "-f", "-Q", "classify"]
    said = subprocess.check_output(command, cwd=ROOT, env=stage.environment, text=True)
    for each in children:
        each.resume()

    assert "Purged" in said
    assert stage.answered(accepted, seconds=30)


def test_orders_are_carried_out(stage: Stage, program: Celery, process: psutil.Process) -> None:
    """Each is confirmed, and pictures are answered after it; the last one ends the worker."""
    control = program.control
    orders = [
        lambda: control.pool_grow(1, reply=True, timeout=10, limit=1),
        lambda: control.pool_shrink(1, reply=True, timeout=10, limit=1),
        lambda: control.rate_limit("classify", "50/s", reply=True, timeout=10, limit=1),
        lambda: control.time_limit("classify", hard=50, soft=40, reply=True, timeout=10, limit=1),
    ]
    for order in orders:
        ((_, told),) = [item for answer in order() for item in answer.items()]
        assert "ok" in told
        stage.answered(stage.accepted(2), seconds=30)
    control.shutdown()

    assert process.wait(timeout=30) == 0
    assert "Traceback" not in stage.log
