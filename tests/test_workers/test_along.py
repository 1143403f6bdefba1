"""Children that take pictures along: every one answered, told of, stopped and counted as before."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import psutil
import pytest
from celery import Celery, signature

from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end

ONE_CHILD = ("--concurrency", "1")


def app_of(stage: Stage) -> Celery:
    """Return an app of another program, which knows the broker and nothing else."""
    app = Celery(broker=stage.redis_url, set_as_current=False)
    app.conf.broker_read_url = app.conf.broker_write_url = stage.redis_url
    return app


@contextmanager
def told(stage: Stage) -> Iterator[list[dict[str, Any]]]:
    """Listen as Flower does; gives the events of tasks."""
    events: list[dict[str, Any]] = []
    begun, over = Event(), Event()

    def listen() -> None:
        app = app_of(stage)
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": events.append})
            with receiver.consumer_context(wakeup=False) as (established, *_):
                begun.set()
                while not over.is_set():
                    with suppress(TimeoutError):
                        established.drain_events(timeout=0.2)

    listener = Thread(target=listen)
    listener.start()
    assert begun.wait(20)
    try:
        yield events
    finally:
        over.set()
        listener.join()


def stopped(process: psutil.Process) -> list[psutil.Process]:
    """Let a worker and its children stand still, so that what is sent waits."""
    processes = [process, *process.children(recursive=True)]
    for each in processes:
        each.suspend()
    return processes


def let_go(processes: list[psutil.Process]) -> None:
    """Let them go on."""
    for each in processes:
        each.resume()


def of_kind(events: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the events of a kind by task."""
    return {each["uuid"]: each for each in list(events) if each["type"] == f"task-{kind}"}


def test_flower_hears_of_every_picture_and_few_are_handed_out(stage: Stage) -> None:
    """A task for each would be as it was before; the rest come with name, times and label."""
    with stage.working(worker(*ONE_CHILD)) as process, told(stage) as events:
        processes = stopped(process)
        accepted = stage.accepted(30)
        let_go(processes)
        answered = stage.answered(accepted, seconds=30)
        wait_until(lambda: set(accepted) <= set(of_kind(events, "succeeded")))

    received, succeeded = of_kind(events, "received"), of_kind(events, "succeeded")
    started = of_kind(events, "started")
    assert answered
    assert set(received) == set(succeeded) == set(accepted)
    assert len(started) < 10
    assert {each["name"] for each in received.values()} == {"classify"}
    assert all("colours@1" in each["result"] for each in succeeded.values())
    assert sum(each["runtime"] for each in succeeded.values()) < 30
    assert all(received[t]["timestamp"] <= succeeded[t]["timestamp"] for t in accepted)


def test_an_answer_without_a_probable_enough_label_is_told_of_too(stage: Stage) -> None:
    """First in a task, or taken along: no error in the log, and the result says so."""
    with stage.working(worker(*ONE_CHILD)) as process, told(stage) as events:
        processes = stopped(process)
        accepted = stage.accepted(3, query="?min_probability=1")
        let_go(processes)
        assert stage.answered(accepted, seconds=20)
        wait_until(lambda: set(accepted) <= set(of_kind(events, "succeeded")))

    results = {each["result"].strip("'") for each in of_kind(events, "succeeded").values()}
    assert results == {"no label probable enough, colours@1"}
    assert "Traceback" not in stage.log


def test_they_are_taken_in_turn(stage: Stage) -> None:
    """The oldest first, what has low priority last, as a worker takes them."""
    with stage.working(worker(*ONE_CHILD)) as process:
        processes = stopped(process)
        low = stage.accepted(3, query="?priority=low")
        normal = stage.accepted(6)
        let_go(processes)
        assert stage.answered([*low, *normal], seconds=20)
        done = {
            t: json.loads(stage.redis.get(f"celery-task-meta-{t}"))["date_done"]
            for t in low + normal
        }

    # The very first was given to the worker, which waited for it, while nothing else was there.
    assert sorted(done, key=done.__getitem__) == [low[0], *normal, *low[1:]]


def test_a_picture_that_fails_does_so_alone(stage: Stage) -> None:
    """With its problem, in its record and in Flower; the others of its task have their labels."""
    broken = picture(size=(300, 300))
    with stage.working(worker(*ONE_CHILD)) as process, told(stage) as events:
        processes = stopped(process)
        first = stage.accepted(2)
        (bad,) = stage.accepted(1, broken[: len(broken) // 2])
        last = stage.accepted(2)
        let_go(processes)
        answered = stage.answered([*first, *last], seconds=20)
        wait_until(lambda: bad in of_kind(events, "failed"))

    document = stage.get(f"/result/{bad}").json()
    assert answered
    assert document["state"] == "FAILURE"
    assert document["error"]["type"].endswith("truncated-image")
    assert set(of_kind(events, "failed")) == {bad}


def test_a_child_that_is_killed_loses_none_of_them(stage: Stage) -> None:
    """Its main process knows the first one of its task; the record says who had the other."""
    large = picture(size=(5000, 5000), kind="PNG")
    with stage.working(worker(*ONE_CHILD)) as process:
        processes = stopped(process)
        accepted = [*stage.accepted(3), *stage.accepted(3, large)]
        let_go(processes)
        wait_until(lambda: set(stage.states(accepted[:3])) == {"SUCCESS"})
        wait_until(lambda: "STARTED" in stage.states(accepted[3:]))
        time.sleep(0.1)
        process.children()[0].kill()

        assert stage.answered(accepted, seconds=30)
        assert "lost job not sent" not in stage.log


def test_a_waiting_picture_that_celery_revokes_is_not_taken(stage: Stage) -> None:
    """Celery remembers ids in its main process, which never sees what its children take."""
    with stage.working(worker(*ONE_CHILD)) as process:
        child = process.children()[0]
        child.suspend()
        accepted = stage.accepted(6)
        app_of(stage).control.revoke(accepted[3])
        wait_until(lambda: stage.states([accepted[3]]) == ["REVOKED"])
        child.resume()
        rest = [each for each in accepted if each != accepted[3]]

        assert stage.answered(rest, seconds=20)
        assert stage.states([accepted[3]]) == ["REVOKED"]


def test_a_cancelled_queue_is_left_alone(stage: Stage) -> None:
    """Also by the children, who would go on from picture to picture."""
    with stage.working(worker(*ONE_CHILD)):
        stage.tell("cancel_consumer", "classify")
        wait_until(lambda: "worker takes nothing" in stage.log)
        accepted = stage.accepted(3)
        time.sleep(1)
        waiting = stage.states(accepted)
        stage.tell("add_consumer", "classify")

        assert waiting == ["PENDING"] * 3
        assert stage.answered(accepted, seconds=20)


def test_a_task_with_links_of_its_own_takes_nothing_along(stage: Stage) -> None:
    """What is called with its result gets the document, as it always did."""
    with stage.working(worker(*ONE_CHILD)) as process, told(stage) as events:
        processes = stopped(process)
        first, second = stage.accepted(2)
        stage.redis.delete("classify")
        link = signature("classify", args=("nobody",), queue="classify")
        for task_id in (first, second):
            options = {"task_id": task_id, "queue": "classify", "link": link}
            app_of(stage).send_task("classify", (task_id,), **options)
        let_go(processes)

        assert stage.answered([first, second], seconds=20)
        wait_until(lambda: {first, second} <= set(of_kind(events, "started")))
