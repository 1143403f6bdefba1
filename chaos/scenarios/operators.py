"""What operators and other programs do: a worker of every queue, a purge, a word too many."""

import subprocess
from uuid import uuid4

from celery import Celery
from celery.states import READY_STATES

from chaos.layout import Layout
from chaos.run import BROKERS, Run, Scenario
from chaos.service import newest_model
from petiole.parts import PYTHON, ROOT

FOREIGN = (PYTHON, "-m", "celery", "-A", "petiole.training_worker", "worker", "-c", "1")
STRANGER_SECONDS = 8.0
HOUR = "3600"


def _foreign_worker(run: Run) -> None:
    """A training worker that was started without -Q runs beside the service for 8 s."""
    environment = {**run.stack.environment, "REDIS_URL": run.stack.redis_url()}
    with (
        run.load(),
        run.fault(),
        (run.stack.directory / "foreign.log").open("w") as log,
        subprocess.Popen(FOREIGN, cwd=ROOT, env=environment, stdout=log, stderr=log) as foreign,  # noqa: S603
    ):
        run.calm(8.0)
        foreign.terminate()


def _purge(run: Run) -> None:
    """An operator purges the queue while pictures wait in it."""
    with run.fault(), run.faults.frozen("worker"):
        run.burst(12)
        run.stack.celery("purge", "-f", "-Q", run.stack.service.queues[0])
    run.calm(1.0)
    with run.load():
        run.calm(4.0)


def _stranger(run: Run) -> None:
    """Another program sends the task with an id that was never handed out."""
    url = run.stack.redis_url()
    sending = Celery("stranger", broker=url, set_as_current=False)
    reading = Celery("stranger", backend=url, set_as_current=False)
    with run.load(), run.fault(), sending, reading:
        service = run.stack.service
        args, queue = [str(uuid4())], service.queues[0]
        task_id = sending.send_task(service.task, args=args, queue=queue).id
        answered = run.waits_for(
            lambda: reading.backend.get_task_meta(task_id)["status"] in READY_STATES,
            seconds=STRANGER_SECONDS,
        )
        run.expect(answered, f"a caller with an unknown id is told within {STRANGER_SECONDS:g} s")


def _cancelled_consumer(run: Run) -> None:
    """`celery control cancel_consumer` lets nobody take pictures, until `/readyz`' cure is done."""
    with run.load(per_second=4), run.fault():
        run.stack.celery("control", "cancel_consumer", "classify")
        run.expect_unready()
        run.stack.celery("control", "add_consumer", "classify")


def _joined_queue(run: Run) -> None:
    """`celery control add_consumer` makes the download worker take pictures, too."""
    with run.load(per_second=20), run.fault():
        run.stack.celery("control", "add_consumer", "classify")
        run.calm(6.0)


def _broken_model(run: Run) -> None:
    """The model's file is damaged at the start; a sound version comes 8 s later."""
    run.expect_unready(seconds=20.0)
    with run.fault():
        for _ in range(5):
            run.send()
        run.calm(8.0)
        restarts = run.stack.supervisor.restarts()["worker"]
        run.expect(not restarts, f"a damaged model does not end the worker ({restarts} restarts)")
        newest_model(run.stack)


def _skewed_clock(run: Run) -> None:
    """The worker's clock is an hour ahead of everybody else's."""
    with run.load(), run.fault():
        run.calm(6.0)


SCENARIOS = (
    Scenario("foreign-worker", _foreign_worker),
    Scenario("purge", _purge, comparable=True),
    Scenario("stranger", _stranger, comparable=True),
    Scenario("cancelled-consumer", _cancelled_consumer),
    Scenario("joined-queue", _joined_queue, brokers=BROKERS),
    Scenario("broken-model", _broken_model, Layout(waits_until_ready=False, damaged_model=True)),
    Scenario(
        "skewed-clock",
        _skewed_clock,
        Layout(worker_environment={"CHAOS_CLOCK_AHEAD_SECONDS": HOUR}),
        comparable=True,
    ),
)
