"""The ledger's part of the job stores: lanes, claims with owners and fences, losses."""

import os
import signal
from dataclasses import replace
from threading import Timer
from time import sleep
from uuid import uuid4

import pytest
import redis

from tasks.envelopes import Envelope
from tasks.errors import ServiceUnavailableError
from tasks.job_stores import RETRY, STARTED, SUCCESS, Job, JobStore, Outcome
from tasks.job_stores.connection import PROMPT_SECONDS, REPLY_SECONDS
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tests.test_tasks.test_job_stores import outcome, store  # noqa: F401 - the fixture

ME, OTHER = "classify:here:1", "classify:there:2"


@pytest.fixture
def job(store: JobStore) -> Job:  # noqa: F811
    """A job that waits in the lane `classify`."""
    job = Job("id", "m", 1, "f", accepted_at=1.0, queued_since=1.0, lane="classify")
    store.create(job)
    return job


def waits(store: JobStore) -> bool:  # noqa: F811
    """Tell whether the job is among those that wait."""
    return store.overdue("classify", before=store.now() + 1000, limit=10) == ["id"]


def test_a_job_waits_until_it_is_claimed(store: JobStore, job: Job) -> None:  # noqa: F811
    """Then it is held by whoever claimed it, until it is over."""
    (since,) = store.queued_since("classify", ["id", "unknown"])
    before = waits(store)
    store.claim("id", stage="classify", owner=ME)
    during = (waits(store), store.held())
    store.finish("id", outcome(SUCCESS))

    assert since == pytest.approx(store.now(), abs=60)
    assert (before, during) == (True, (False, {"id": ME}))
    assert (waits(store), store.held()) == (False, {})


def test_a_living_owner_keeps_its_job(store: JobStore, job: Job) -> None:  # noqa: F811
    """A message that comes twice is not worked on twice, unless its owner is gone."""
    store.announce_ready(ME, "{}")
    first = store.claim("id", stage="classify", owner=ME)
    refused = store.claim("id", stage="classify", owner=OTHER)
    store.withdraw_ready(ME)
    taken_over = store.claim("id", stage="classify", owner=OTHER)

    assert refused is None
    assert (first.fence, taken_over.fence, taken_over.attempts) == (1, 2, 2)
    assert store.held() == {"id": OTHER}


def test_a_zombie_fails_nothing(store: JobStore, job: Job) -> None:  # noqa: F811
    """What an earlier claimer says of a failure counts no more; an answer of its counts."""
    first = store.claim("id", stage="classify", owner=ME)
    second = store.claim("id", stage="classify", owner=OTHER)
    stale = store.finish("id", outcome("FAILURE"), fence=first.fence)
    late = [
        store.postpone(first, seconds=1),
        store.send_again(first),
        store.requeue(replace(first, state="PENDING")),
    ]

    assert (stale, late) == (False, [False] * 3)
    assert store.get("id").state == STARTED
    assert store.finish("id", outcome(SUCCESS), fence=second.fence)


def test_a_job_that_is_put_off_is_due_again(store: JobStore, job: Job) -> None:  # noqa: F811
    """It shows RETRY, waits for its time, and the start does not count."""
    claimed = store.claim("id", stage="classify", owner=ME)
    store.postpone(claimed, seconds=100)
    record = store.get("id")
    (due,) = store.queued_since("classify", ["id"])

    assert (record.state, record.attempts, record.postponed) == (RETRY, 0, 1)
    assert due == pytest.approx(store.now() + 100, abs=30)
    assert store.overdue("classify", before=store.now(), limit=10) == []


def test_a_lost_message_is_sent_once(store: JobStore, job: Job) -> None:  # noqa: F811
    """Of two who look at the same time one does it."""
    sleep(0.2)
    sent = [store.send_again(job, queued_for_seconds=0.1) for _ in range(2)]

    assert (sent, store.get("id").resent) == ([True, False], 1)
    assert store.get("id").state == "PENDING"


def test_what_is_sent_again_says_what_was_lost(store: JobStore, job: Job) -> None:  # noqa: F811
    """Its message, or the start that it follows and since when that one had it."""
    before = store.now()
    store.send_again(job)
    waited = store.get("id")
    claimed = store.claim("id", stage="classify", owner=ME)
    store.send_again(claimed)
    begun = store.get("id")

    assert (waited.resent_after, waited.lost_since) == (0, 0.0)
    assert (begun.resent_after, begun.resent) == (claimed.fence, 2)
    assert before - 1 < begun.lost_since <= begun.resent_at <= store.now()


def test_what_was_lost_first_is_said_until_the_job_is_claimed(store: JobStore, job: Job) -> None:  # noqa: F811
    """Also where the message that followed was lost, or taken for lost."""
    claimed = store.claim("id", stage="classify", owner=ME)
    store.send_again(claimed)
    first = store.get("id")
    store.send_again(first)
    again = store.get("id")

    assert again.resent == 2
    assert (again.lost_since, again.resent_at) == (first.lost_since, first.resent_at)
    assert again.lost_since > 0


def test_a_job_that_is_over_is_not_sent(store: JobStore, job: Job) -> None:  # noqa: F811
    """Nor one that never was."""
    store.finish("id", Outcome(SUCCESS, "{}", {}))

    assert not store.send_again(job)
    assert not store.send_again(replace(job, task_id="unknown"))


def test_one_of_many_has_its_turn(store: JobStore) -> None:  # noqa: F811
    """And keeps it as long as it asks for it again."""
    asked = [store.take_turn("look", name, seconds=30) for name in ("a", "b", "a")]

    assert asked == [True, False, True]


def test_a_turn_ends_with_whoever_had_it(store: JobStore) -> None:  # noqa: F811
    """A process that dies, or its host, does not keep it."""
    store.take_turn("look", "dead", seconds=1)
    sleep(1.2)

    assert store.take_turn("look", "alive", seconds=1)


def test_a_message_is_written_with_its_record(redis_url: str) -> None:
    """Both or neither; one that was withdrawn before it arrived is neither."""
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    client.flushdb()
    made = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
    job = Job("id", "m", 1, "f", accepted_at=1.0, queued_since=1.0, lane="classify")
    made.create(job, Envelope("classify", "message"))
    made.discard("withdrawn")
    made.create(replace(job, task_id="withdrawn"), Envelope("classify", "late"))
    listed = client.lrange("classify", 0, -1)
    client.close()

    assert listed == ["message"]
    assert made.get("withdrawn") is None


def prompt_store(client: redis.Redis, url: str) -> tuple[RedisJobStore, Job]:
    """Return the store of who waits for a second, with its first job, on an emptied server."""
    client.flushdb()
    made = RedisJobStore(TasksSettings(job_store_url=url), patience_seconds=1.0)
    job = Job("id", "m", 1, "f", accepted_at=1.0, queued_since=1.0, lane="classify")
    made.create(job, Envelope("classify", "message"))
    return made, job


def test_what_comes_too_late_is_not_accepted(redis_url: str) -> None:
    """A client was refused while Redis stood still: its picture is not classified afterwards."""
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    made, job = prompt_store(client, redis_url)
    process_id = client.info("server")["process_id"]
    os.kill(process_id, signal.SIGSTOP)
    try:
        with pytest.raises(ServiceUnavailableError):
            made.create(replace(job, task_id="late"), Envelope("classify", "late"))
        sleep(0.1)
    finally:
        os.kill(process_id, signal.SIGCONT)
    made.now()
    listed = client.lrange("classify", 0, -1)
    client.close()

    assert listed == ["message"]
    assert made.get("late") is None


def test_what_a_slow_server_does_late_is_asked_again_while_somebody_listens(redis_url: str) -> None:
    """An answer of the last moment might find nobody: instead the job is accepted anew."""
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    made, job = prompt_store(client, redis_url)
    process_id = client.info("server")["process_id"]
    client.config_resetstat()
    os.kill(process_id, signal.SIGSTOP)
    late = Timer(PROMPT_SECONDS - REPLY_SECONDS / 2, os.kill, (process_id, signal.SIGCONT))
    late.start()
    made.create(replace(job, task_id="slow"), Envelope("classify", "slow"))
    late.join()
    asked = client.info("commandstats")["cmdstat_evalsha"]["calls"]

    assert (asked, client.lrange("classify", 0, -1)) == (2, ["slow", "message"])


def test_a_leap_of_its_clock_refuses_nobody(redis_url: str, monkeypatch) -> None:
    """A creation that comes too late by a wrong clock is sent once more, by the right one."""
    made = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
    made.now()
    made._clock.set(1.0)
    job = Job(str(uuid4()), "m", 1, "f", accepted_at=1.0, queued_since=1.0, lane="classify")

    assert made.create(job).task_id == job.task_id
    assert made.get(job.task_id) is not None
