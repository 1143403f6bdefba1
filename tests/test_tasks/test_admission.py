"""How much a job store takes: open jobs, their bytes, Redis' memory; and what it leaves behind."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Barrier, Thread
from time import sleep

import pytest
import redis

from tasks.errors import QueueFullError, ServiceUnavailableError
from tasks.job_stores import FAILURE, SUCCESS, Job, JobStore
from tasks.job_stores.measuring import retry_after
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tests.test_tasks.test_job_stores import outcome, store  # noqa: F401 - the fixture


def new_job(name: str, **more: object) -> Job:
    """Return a job for the lane `classify`."""
    fields = {"accepted_at": 1.0, "queued_since": 1.0, "lane": "classify", **more}
    return Job(name, "m", 1, "f", **fields)


def bounded(store: JobStore, **limits: object) -> JobStore:  # noqa: F811
    """Return the store with other settings."""
    url = store._settings.job_store_url
    store._settings = TasksSettings(job_store_url=url, **limits)
    return store


def finished(store: JobStore, name: str) -> None:  # noqa: F811
    """Take a job and end it."""
    store.claim(name, stage="classify")
    store.finish(name, outcome(SUCCESS))


def test_the_open_jobs_are_bounded(store: JobStore) -> None:  # noqa: F811
    """Waiting and started ones count, ended ones make room; one that is refused is nowhere."""
    bounded(store, max_open_jobs=2)
    for name in ("a", "b"):
        store.create(new_job(name))
    store.claim("a", stage="classify")
    with pytest.raises(QueueFullError, match="2 pictures"):
        store.create(new_job("c"))
    before = store.get("c")
    store.finish("a", outcome(SUCCESS))
    store.create(new_job("d"))

    assert (before, store.load().open_jobs) == (None, 2)


def test_their_bytes_are_bounded(store: JobStore) -> None:  # noqa: F811
    """Those of a downloaded picture count as soon as they are known; ended ones leave nothing."""
    bounded(store, max_open_bytes=100)
    store.create(new_job("a", lane="downloads"))
    claimed = store.claim("a", stage="download")
    store.requeue(replace(claimed, lane="classify", state="PENDING", upload_bytes=60))
    with pytest.raises(QueueFullError):
        store.create(new_job("b", upload_bytes=41))
    store.create(new_job("c", upload_bytes=40))
    open_bytes = [store.load().open_bytes]
    for name in ("a", "c"):
        store.finish(name, outcome(FAILURE))
        open_bytes.append(store.load().open_bytes)

    assert (open_bytes, store.load().open_jobs) == ([100, 40, 0], 0)


def test_a_discarded_job_takes_no_place(store: JobStore) -> None:  # noqa: F811
    """Nor does one whose record has expired: it waits nowhere any more."""
    for name in ("a", "b"):
        store.create(new_job(name, upload_bytes=5, deadline_seconds=9.0))
    store.discard("a")
    if isinstance(store, RedisJobStore):
        store._client.delete("petiole:job:b")
    store.discard("b")

    assert store.load().open_jobs == store.load().waiting["classify"] == 0
    assert store.overdue("classify", before=store.now() + 9, limit=9) == []
    assert store.late(before=store.now() + 99, limit=9) == []


def test_a_training_is_never_refused(store: JobStore) -> None:  # noqa: F811
    """The bounds are those of pictures."""
    bounded(store, max_open_jobs=1)
    for name in ("a", "b"):
        store.create(new_job(name, lane="", kind="training"))

    assert store.load().open_jobs == 0


def test_many_processes_do_not_overrun_the_bound(redis_url: str) -> None:
    """Twenty send at the same moment, each over a store of its own; ten have room."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    limits = TasksSettings(job_store_url=redis_url, max_open_jobs=10)
    made, start = [RedisJobStore(limits, patience_seconds=1.0) for _ in range(20)], Barrier(20)
    refused: list[QueueFullError] = []

    def send(n: int) -> None:
        start.wait()
        try:
            made[n].create(new_job(str(n)))
        except QueueFullError as exc:
            refused.append(exc)

    in_parallel(send, 20)

    assert (len(refused), made[0].load().open_jobs) == (10, 10)


def in_parallel(work: object, n: int) -> None:
    """Call `work` with each number in a thread of its own."""
    threads = [Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def small_redis(redis_url: str) -> Iterator[redis.Redis]:
    """A client of a server that may use less memory than it does, until the test is over."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushdb()
        before = client.config_get("maxmemory", "maxmemory-policy")
        yield client
        for name, value in before.items():
            client.config_set(name, value)


def test_room_is_left_to_finish_what_was_accepted(small_redis: redis.Redis, redis_url: str) -> None:
    """At four fifths of Redis' memory pictures are refused, and ends are still written."""
    store = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)  # noqa: F811
    store.create(new_job("a"))
    small_redis.config_set("maxmemory", int(small_redis.info("memory")["used_memory"] * 1.1))
    store._memory._looked_at = 0.0
    with pytest.raises(QueueFullError, match="memory"):
        store.create(new_job("b"))

    assert store.finish("a", outcome(SUCCESS))
    assert store.get("b") is None


def test_a_redis_that_evicts_is_no_reason_to_refuse(
    small_redis: redis.Redis, redis_url: str
) -> None:
    """It is always full."""
    store = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)  # noqa: F811
    small_redis.config_set("maxmemory-policy", "allkeys-lru")
    small_redis.config_set("maxmemory", int(small_redis.info("memory")["used_memory"] * 1.1))

    assert store.create(new_job("a")).task_id == "a"


def test_a_refusal_says_when_to_come_again(store: JobStore) -> None:  # noqa: F811
    """By the rate at which jobs leave."""
    bounded(store, max_open_jobs=20)
    for n in range(20):
        store.create(new_job(str(n)))
    for n in range(7):
        finished(store, str(n))
        sleep(0.02)
    for n in range(7):
        store.create(new_job(f"again {n}"))
    with pytest.raises(QueueFullError) as refused:
        store.create(new_job("too many"))

    assert refused.value.retry_after_seconds == 1


@pytest.mark.parametrize(
    ("open_jobs", "rate", "seconds"),
    [(10_000, 50.0, 20), (10, 50.0, 1), (10_000, 0.5, 60), (10_000, None, 5)],
)
def test_the_time_until_there_is_room_is_bounded(
    open_jobs: int, rate: float | None, seconds: int
) -> None:
    """A tenth of the open jobs is done by then; at least a second and at most a minute."""
    assert retry_after(open_jobs, rate) == seconds


def test_nothing_is_left_without_an_end(redis_url: str) -> None:
    """Of jobs that are over no key stays that does not expire."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushdb()
        made = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
        for n in range(9):
            made.create(
                new_job(str(n), key=str(n), deadline_seconds=9.0, upload_bytes=9), digest="d"
            )
            finished(made, str(n))
        made.discard("never")
        lasting = {key for key in client.scan_iter() if client.ttl(key) < 0}

    assert lasting <= {"petiole:counts"}


def test_a_server_that_is_away_is_no_full_queue() -> None:
    """It is 503 of another kind."""
    url = "redis://127.0.0.1:1/0"
    made = RedisJobStore(TasksSettings(job_store_url=url), patience_seconds=0.0)

    with pytest.raises(ServiceUnavailableError):
        made.create(new_job("a"))
