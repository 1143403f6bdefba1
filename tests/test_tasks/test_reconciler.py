"""Lost jobs are found on a real server, by one process at a time, and only lost ones."""

import json
from time import sleep

import pytest
import redis

from tasks import once, publisher, stores
from tasks.job_stores import FAILURE, RETRY, STARTED, Job
from tasks.reconciler import NAME, Reconciler
from tasks.settings import settings
from tests.test_end_to_end.conftest import wait_until

pytestmark = pytest.mark.server

LOST_SECONDS = 0.5


@pytest.fixture
def server(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> redis.Redis:
    """An empty Redis that is broker and job store, where a job is soon thought lost."""
    monkeypatch.setenv("CELERY_BROKER_URL", redis_url)
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", redis_url)
    monkeypatch.setenv("PETIOLE_TASKS_LOST_AFTER_SECONDS", str(LOST_SECONDS))
    monkeypatch.setenv("PETIOLE_TASKS_RECONCILE_SECONDS", str(LOST_SECONDS / 5))
    monkeypatch.setenv("PETIOLE_TASKS_READY_TTL_SECONDS", "60")
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", False)
    once.begin_anew()
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    client.flushdb()
    return client


def accepted(name: str) -> None:
    """Accept a job, with its message."""
    job = Job(name, "colours", 1, "a.jpg", accepted_at=1.0, queued_since=1.0, lane="classify")
    stores.job_store().create(job, publisher.envelope("classify", name))


def waiting(server: redis.Redis) -> list[str]:
    """Return the jobs whose messages wait, the next one first."""
    messages = server.lrange("classify", 0, -1)
    return [json.loads(message)["headers"]["id"] for message in reversed(messages)]


def says(owner: str, *holds: str) -> None:
    """Let a process be alive and say what it works on."""
    note = {"queue": "classify", "state": "ready", "holds": holds}
    stores.job_store().announce_ready(owner, json.dumps(note))


def claimed(name: str, *, owner: str, times: int = 1) -> None:
    """Accept a job whose message a worker takes, so often."""
    accepted(name)
    for _ in range(times):
        stores.job_store().claim(name, stage="classify", owner=owner)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return why jobs were sent again, as the log says it."""
    return [each.reason for each in caplog.records if each.message == "job sent again"]


def states(*names: str) -> list[str]:
    """Return the states of jobs."""
    return [stores.job_store().get(name).state for name in names]


def test_a_job_that_was_overtaken_has_lost_its_message(
    server: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """It is sent again once, however often one looks; who is behind in the queue waits on."""
    accepted("lost")
    server.delete("classify")
    sleep(1.5 * LOST_SECONDS)
    accepted("waiting")
    found = [Reconciler().look() for _ in range(2)]

    assert (found, waiting(server)) == ([1, 0], ["waiting", "lost"])
    assert told(caplog) == ["it lost its message"]


def test_a_message_that_waits_is_not_lost(server: redis.Redis) -> None:
    """However long it waits, as in a burst or while no worker runs."""
    accepted("patient")
    sleep(2.5 * LOST_SECONDS)

    assert (Reconciler().look(), waiting(server)) == (0, ["patient"])


def test_a_job_that_nobody_holds_has_lost_its_worker(
    server: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Its process is gone, or lives and works on something else; one that is held is left."""
    claimed("orphan", owner="classify:gone:1")
    claimed("forgotten", owner="classify:here:2")
    claimed("held", owner="classify:here:3")
    says("classify:here:2")
    says("classify:here:3", "held")
    server.delete("classify")
    reconciler, found = Reconciler(), []
    wait_until(lambda: found.append(reconciler.look()) or sum(found) >= 2)

    assert states("orphan", "forgotten", "held") == [RETRY, RETRY, STARTED]
    assert sorted(waiting(server)) == ["forgotten", "orphan"]
    assert told(caplog) == ["it lost its worker"] * 2


def test_after_a_pause_nobody_is_suspect(server: redis.Redis) -> None:
    """Redis stood still, or this process: every worker gets the time to say again what it holds."""
    claimed("orphan", owner="classify:gone:1")
    reconciler = Reconciler()
    reconciler.look()
    sleep(1.5 * LOST_SECONDS)

    assert (reconciler.look(), states("orphan")) == (0, [STARTED])


def test_a_lost_worker_is_found_by_who_looks_rarely(
    server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks as they are set there is no pause, however soon a job counts as lost."""
    between = 1.2 * LOST_SECONDS
    monkeypatch.setenv("PETIOLE_TASKS_RECONCILE_SECONDS", str(between))
    once.begin_anew()
    claimed("orphan", owner="classify:gone:1")
    reconciler, found = Reconciler(), []
    for _ in range(3):
        found.append(reconciler.look())
        sleep(between)

    assert sum(found) == 1
    assert states("orphan") == [RETRY]


def test_a_job_that_loses_every_worker_fails(server: redis.Redis) -> None:
    """With the last attempt, and its picture is kept for an operator."""
    claimed("poison", owner="classify:gone:1", times=settings().max_attempts)
    reconciler = Reconciler()
    wait_until(reconciler.look)

    assert states("poison") == [FAILURE]
    assert stores.quarantine().has("poison")


def test_a_record_that_nobody_understands_keeps_no_other_one_lost(
    server: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """As one that waits in a lane of a later version; it is said once."""
    claimed("odd", owner="classify:gone:1")
    server.hset("petiole:job:odd", "lane", "a later one")
    claimed("orphan", owner="classify:gone:1")
    server.delete("classify")
    reconciler = Reconciler()
    wait_until(lambda: reconciler.look() and reconciler.look() == 0)

    assert waiting(server) == ["orphan"]
    assert [record.task_id for record in caplog.records if record.exc_info] == ["odd"]


def test_one_looks_at_a_time(server: redis.Redis) -> None:
    """Whoever has no turn does nothing."""
    accepted("lost")
    server.delete("classify")
    sleep(1.5 * LOST_SECONDS)
    stores.job_store().take_turn(NAME, "reconciler:elsewhere:1", seconds=30)
    without_turn = Reconciler().look()
    server.delete(f"petiole:turn:{NAME}")

    assert (without_turn, Reconciler().look()) == (0, 1)
