"""Jobs that took their workers with them, kept for a while: in memory and on a real server."""

from time import sleep

import pytest
import redis

from tasks.job_stores import Job
from tasks.job_stores.quarantine import MemoryQuarantine, Quarantine, RedisQuarantine
from tasks.settings import TasksSettings

JOB = Job("id", "colours", 1, "a.jpg", accepted_at=1.0, queued_since=1.0, attempts=3)


@pytest.fixture(params=["memory", "redis"])
def brief(request: pytest.FixtureRequest) -> Quarantine:
    """Each implementation in turn, empty, in which a job is kept for a second."""
    if request.param == "memory":
        return MemoryQuarantine(TasksSettings(quarantine_ttl_seconds=1))
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return RedisQuarantine(TasksSettings(job_store_url=url, quarantine_ttl_seconds=1))


def test_a_job_is_kept_until_it_is_released(brief: Quarantine) -> None:
    """As it was when it failed; of two who release it one did."""
    brief.put(JOB)
    kept = [each.job for each in brief.all()]
    released = [brief.release("id") for _ in range(2)]

    assert (kept, released) == ([JOB], [True, False])
    assert (brief.all(), brief.has("id")) == ([], False)


def test_nothing_is_kept_for_ever(brief: Quarantine, redis_url: str) -> None:
    """Nobody looked at it in time: it is gone by itself, with whatever listed it."""
    brief.put(JOB)
    sleep(1.2)
    has = brief.has("id")
    with redis.Redis.from_url(redis_url) as client:
        left = client.keys("petiole:quarantine*")

    assert (has, left) == (False, [])
    assert brief.all() == []
