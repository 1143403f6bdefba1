"""A worker that lives and takes nothing: `/readyz` tells, and it mends itself."""

import os
import time

import pytest

from chaos.wire import Wire
from petiole.parts import Part
from tasks.job_stores.redis_upkeep import READY_MEMBERS
from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, faulty_worker, worker

pytestmark = pytest.mark.end_to_end


def told(stage: Stage) -> str:
    """Return what `/readyz` says of the worker."""
    return str(stage.get("/readyz").json()["checks"]["worker"])


def faulty() -> Part:
    """Return a worker that has the command `lose_credit`."""
    return faulty_worker()


def test_a_cancelled_queue_is_told_and_left_alone(stage: Stage) -> None:
    """An operator's order is not undone, but the service is not ready, and the cure is named."""
    with stage.working(worker()):
        stage.tell("cancel_consumer", "classify")
        reason = wait_until(lambda: (text := told(stage)) != "ok" and text)
        time.sleep(3)
        still = told(stage)
        stage.tell("add_consumer", "classify")
        wait_until(lambda: told(stage) == "ok")

    assert "cancelled the queue classify" in reason == still
    assert "add_consumer classify" in reason


def test_lost_credit_comes_back(stage: Stage) -> None:
    """The worker connects anew, and takes what waits."""
    with stage.working(faulty()):
        stage.tell("lose_credit")
        time.sleep(1)
        accepted = stage.accepted(3)
        stage.answered(accepted, seconds=10)

    assert "connecting anew" in stage.log


def test_a_worker_that_cannot_be_mended_ends(stage: Stage) -> None:
    """With a status that makes its supervisor start another one; until then it is not ready."""
    with stage.working(faulty()) as process:
        stage.tell("lose_credit", "1")
        accepted = stage.accepted(3)
        wait_until(lambda: "messages wait and none is taken" in told(stage))
        status = process.wait(timeout=60)
    with stage.working(worker()):
        stage.answered(accepted, seconds=30)

    assert status == os.EX_TEMPFAIL


def test_what_is_worked_on_is_not_acknowledged_yet(stage: Stage) -> None:
    """Its message comes back when its host is lost, also where nobody looks for lost jobs."""
    with stage.working(worker()) as process:
        (child,) = process.children()
        (task_id,) = stage.accepted(1, picture(size=(6000, 6000), kind="PNG"))  # half a second
        wait_until(lambda: stage.states([task_id]) == ["STARTED"])
        child.suspend()
        time.sleep(1)
        states, unacknowledged = stage.states([task_id]), stage.redis.hlen("unacked")
        child.resume()
        stage.answered([task_id], seconds=20)

    assert (states, unacknowledged) == (["STARTED"], 1)


def test_a_loop_that_is_held_up_ends(stage: Stage) -> None:
    """Its children would wait for ever for what they are never given."""
    with stage.working(faulty()) as process:
        stage.tell("hold_up")
        status = process.wait(timeout=20)

    assert (status, "the loop is held up" in stage.log) == (os.EX_TEMPFAIL, True)


def test_connections_that_went_silent_are_given_up(stage: Stage) -> None:
    """Nobody closes them, and what is asked on them is never answered."""
    wire = Wire(stage.redis.connection_pool.connection_kwargs["port"])
    with stage.working(worker(), REDIS_URL=f"redis://127.0.0.1:{wire.port}/0"):
        stage.answered(stage.accepted(1), seconds=30)
        wire.silence()
        stage.answered(stage.accepted(3), seconds=60)
    wire.close()


def test_a_broker_without_an_event_loop_has_its_note_too(stage: Stage) -> None:
    """Any broker of kombu's may carry the messages."""
    stage.redis.delete(READY_MEMBERS)
    with stage.running(worker(), CELERY_BROKER_URL="memory://"):
        wait_until(lambda: told(stage) == "ok")


def test_what_redis_cannot_promise_is_said_and_the_service_is_ready(stage: Stage) -> None:
    """In the log of the worker, and beside the checks of `/readyz`."""
    stage.redis.config_set("appendonly", "no")
    with stage.working(worker()):
        warnings = stage.get("/readyz").json()["warnings"]
        log = stage.log
    stage.redis.config_set("appendonly", "yes")

    assert warnings == ["broker and job store: jobs do not survive its restart; set appendonly yes"]
    assert warnings[0] in log


def test_a_server_that_takes_no_writes_is_not_ready(stage: Stage) -> None:
    """A replica after a failover can be read, so the write is rehearsed."""
    stage.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    said = stage.get("/readyz").json()["checks"]
    stage.redis.execute_command("REPLICAOF", "NO", "ONE")

    assert (said["job store"], stage.get("/readyz").json()["checks"]["writing"]) == ("ok", "ok")
    assert said["writing"] == (
        "broker and job store: it is a read-only replica; name the primary in REDIS_URL"
    )


@pytest.mark.parametrize("denied", ["-psubscribe", "-publish"])
def test_missing_rights_are_told_once(stage: Stage, denied: str) -> None:
    """Nothing can be classified: `/readyz` says what to allow, and the log is not flooded."""
    stage.redis.execute_command(
        "ACL", "SETUSER", "worker", "reset", "on", ">pw", "~*", "&*", "+@all", denied
    )
    url = stage.redis_url.replace("//", "//worker:pw@")
    stage.redis.delete(READY_MEMBERS)
    with stage.running(worker(), REDIS_URL=url):
        reason = wait_until(lambda: "ACL SETUSER" in (text := told(stage)) and text)
        accepted = stage.accepted(1)
        time.sleep(4)
        states = stage.states(accepted)
        lines = stage.log.splitlines()

    with stage.working(worker()):
        stage.answered(accepted, seconds=10)

    assert "no worker takes pictures" in reason
    assert sum("NoPermission" in line for line in lines) <= 3
    assert len(lines) < 80
    assert states == ["PENDING"]
