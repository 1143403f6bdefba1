"""One contract, run on every ledger of what clients asked for; and a process that spares it."""

from time import sleep
from uuid import uuid4

import pytest
import redis

from tasks.job_stores.measuring import SIZES
from tasks.keys import limits
from tasks.keys.limits import (
    BYTES,
    OPEN_JOBS,
    REQUESTS,
    Bounds,
    Ledger,
    Limiter,
    MemoryLedger,
    RedisLedger,
    Sent,
)
from tasks.settings import TasksSettings
from tests.conftest import free_port

SLOW = Bounds(requests_per_second=0.01)


@pytest.fixture(params=["memory", "redis"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Each implementation in turn, empty; no job is open but those that were just sent."""
    if request.param == "memory":
        return MemoryLedger(lambda _: False)
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return RedisLedger(TasksSettings(job_store_url=url))


def test_a_burst_is_given_and_then_the_rate(ledger: Ledger) -> None:
    """Two seconds' worth at once, and nothing more before its time; each subject for itself."""
    bounds = Bounds(requests_per_second=0.5)
    said = [ledger.take("ana", bounds, n=1, sent=None) for _ in range(2)]

    assert said[0] == ("", 1.0)
    assert said[1][0] == REQUESTS
    assert 1.5 < said[1][1] <= 2.0
    assert ledger.take("ben", bounds, n=1, sent=None)[0] == ""


def test_what_is_given_at_once_is_what_there_is(ledger: Ledger) -> None:
    """A process that asks for ten of a burst of four gets four."""
    assert ledger.take("ana", Bounds(requests_per_second=2), n=10, sent=None) == ("", 4.0)


def test_bytes_of_a_day_are_bounded_and_a_refusal_takes_nothing(ledger: Ledger) -> None:
    """What did not fit counts neither as bytes nor as a request."""
    bounds = Bounds(requests_per_second=1, bytes_per_day=100)
    said = [ledger.take("ana", bounds, n=1, sent=Sent(size)) for size in (60, 41, 40)]

    assert [each[0] for each in said] == ["", BYTES, ""]
    assert 0 < said[1][1] <= limits.DAY_SECONDS


def test_open_jobs_are_bounded_and_ended_ones_make_room(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job counts from when it is sent; one that is no longer open is found when all are taken."""
    bounds = Bounds(open_jobs=2)
    said = [ledger.take("ana", bounds, n=1, sent=Sent(1, str(uuid4())))[0] for _ in range(3)]
    assert said == ["", "", OPEN_JOBS]
    if isinstance(ledger, MemoryLedger):
        monkeypatch.setattr(limits, "JUST_SENT_SECONDS", 0.0)
    else:
        for task_id, _ in ledger._client.zrange(limits.OPEN + "ana", 0, -1, withscores=True):
            ledger._client.zadd(limits.OPEN + "ana", {task_id: 1.0})

    assert ledger.take("ana", bounds, n=1, sent=Sent(1, str(uuid4())))[0] == ""


def test_a_job_that_is_still_open_keeps_its_place(redis_url: str) -> None:
    """However long ago it was sent."""
    ledger = RedisLedger(TasksSettings(job_store_url=redis_url))
    subject, task_id = str(uuid4()), str(uuid4())
    ledger._client.zadd(limits.OPEN + subject, {task_id: 1.0})
    ledger._client.hset(SIZES, task_id, 10)

    said = ledger.take(subject, Bounds(open_jobs=1), n=1, sent=Sent(1, str(uuid4())))
    ledger._client.delete(SIZES)
    assert said[0] == OPEN_JOBS


def test_a_busy_key_asks_the_ledger_once_for_many(ledger: Ledger) -> None:
    """And never gets more than there is."""
    asked = []

    class Counted:
        def take(self, *words: object, **more: object) -> tuple[str, float]:
            asked.append(words)
            return ledger.take(*words, **more)

    limiter, bounds = Limiter(Counted()), Bounds(requests_per_second=100)
    verdicts = [limiter.admit("ana", bounds) for _ in range(300)]
    given = sum(not each.refused for each in verdicts)

    assert 195 <= given <= 260  # the burst of 200, and what came back meanwhile
    assert len(asked) < 200
    assert all(each.retry_after_seconds == 1 for each in verdicts if each.refused)


def test_a_picture_costs_one_request(ledger: Ledger) -> None:
    """Though each asks the ledger, for its bytes: a lease that is there is used, not lost."""
    limiter, bounds = Limiter(ledger), Bounds(requests_per_second=100, open_jobs=10_000)
    verdicts = [limiter.admit("ana", bounds, Sent(1, str(uuid4()))) for _ in range(300)]
    given = sum(not each.refused for each in verdicts)

    assert 195 <= given <= 260  # as of any other requests


def test_while_redis_is_away_rates_hold_and_the_rest_does_not() -> None:
    """Each process counts alone."""
    away = RedisLedger(TasksSettings(job_store_url=f"redis://127.0.0.1:{free_port()}/0"))
    limiter, bounds = Limiter(away), Bounds(requests_per_second=0.5, bytes_per_day=1)

    assert [limiter.admit("ana", bounds, Sent(9)).refused for _ in range(2)] == ["", REQUESTS]


def test_what_is_not_used_is_lost(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that fell silent keeps nothing for later."""
    monkeypatch.setattr(limits, "LEASE_SECONDS", 0.01)
    limiter = Limiter(ledger)
    limiter.admit("ana", Bounds(requests_per_second=40))
    sleep(0.02)

    assert limiter._leased("ana") is None


def test_many_addresses_fill_nobodys_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten."""
    monkeypatch.setattr(limits, "MOST_SUBJECTS", 10)
    ledger = MemoryLedger()
    limiter = Limiter(ledger)
    for n in range(50):
        limiter.admit(str(n), Bounds(requests_per_second=40))

    assert len(ledger._next_at) <= 10
    assert len(limiter._leases) <= 10
