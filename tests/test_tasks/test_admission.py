"""The client's side of the job stores: bounds, places, deadlines, keys, and what is forgotten."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Barrier, Thread
from time import sleep

import pytest
import redis

from tasks import lanes
from tasks.errors import QueueFullError, ReusedKeyError, ServiceUnavailableError
from tasks.job_stores import FAILURE, REVOKED, SUCCESS, Job, JobStore, retry_after
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tests.test_tasks.test_job_stores import outcome, store  # noqa: F401 - the fixture

LOW = lanes.lane("classify", lanes.LOW)


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
    during = store.load().open_bytes
    for name in ("a", "c"):
        store.finish(name, outcome(FAILURE))

    assert (during, store.load().open_bytes, store.load().open_jobs) == (100, 0, 0)


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


def test_a_job_knows_its_place(store: JobStore) -> None:  # noqa: F811
    """How many are before it, and once five have left in a burst, when it will be over."""
    accepted = [store.create(new_job(str(n))) for n in range(20)]
    before = store.view("19")
    for n in range(8):
        sleep(0.05)
        finished(store, str(n))
    after = store.view("19")

    assert [each.place.ahead for each in accepted] == list(range(20))
    assert (before.place.ahead, before.place.seconds) == (19, None)
    assert after.place.ahead == 11
    # 12 jobs at one each twentieth of a second; a busy machine sleeps longer.
    assert 0.6 <= after.place.seconds < 1.2


def test_a_pause_is_not_a_slow_service(store: JobStore) -> None:  # noqa: F811
    """Time in which nothing waited says nothing about the rate, nor does a stall."""
    for burst in range(2):
        for n in range(8):
            store.create(new_job(f"{burst} {n}"))
        for n in range(8):
            finished(store, f"{burst} {n}")
        sleep(1.5)
    for n in range(2):
        store.create(new_job(f"last {n}"))

    assert store.view("last 1").place.seconds < 0.5


def test_nobody_knows_when_nothing_leaves(store: JobStore) -> None:  # noqa: F811
    """All workers are gone, and pictures wait: an estimate would be a guess."""
    for n in range(9):
        store.create(new_job(str(n)))
    for n in range(8):
        finished(store, str(n))
    known = store.view("8").place.seconds
    if isinstance(store, RedisJobStore):
        store._client.hincrbyfloat("petiole:drain:classify", "at", -60)
    else:
        store._drains["classify"].at -= 60

    assert known is not None
    assert store.view("8").place.seconds is None


def test_low_priority_is_behind_all_others(store: JobStore) -> None:  # noqa: F811
    """Whenever they come."""
    low = store.create(new_job("low", lane=LOW, priority="low"))
    store.create(new_job("normal"))

    assert (low.place.ahead, store.view("low").place.ahead) == (0, 1)
    assert store.view("normal").place.ahead == 0
    assert store.load().waiting[LOW] == store.load().waiting["classify"] == 1


def test_what_is_started_or_over_has_no_place(store: JobStore) -> None:  # noqa: F811
    """Nor has what never was."""
    store.create(new_job("a"))
    store.claim("a", stage="classify")
    started = store.view("a")
    store.finish("a", outcome(SUCCESS))
    over = store.view("a")

    assert (started.job.state, started.place, started.document) == ("STARTED", None, None)
    assert over.document == outcome(SUCCESS).document
    assert store.view("never").job is None


def test_a_late_job_is_not_started(store: JobStore) -> None:  # noqa: F811
    """Its deadline passed while it waited: it comes back as it is, and is among the late ones."""
    store.create(new_job("late", deadline_seconds=0.05))
    store.create(new_job("patient", deadline_seconds=100.0))
    sleep(0.1)
    late, patient = (store.claim(name, stage="classify") for name in ("late", "patient"))
    listed = store.late(before=store.now(), limit=10)
    store.revoke("late", outcome(REVOKED))

    assert (late.state, patient.state, listed) == ("RETRY", "STARTED", ["late"])
    assert store.late(before=store.now(), limit=10) == []


def test_a_key_is_one_job(store: JobStore) -> None:  # noqa: F811
    """Sent again it is the first one; with another request it is refused, wherever it is found."""
    first = store.create(new_job("a", key="k"), digest="d")
    second = store.create(new_job("b", key="k"), digest="d")

    assert (first.task_id, second.task_id, store.get("b")) == ("a", "a", None)
    assert store.earlier("k", digest="d") == "a"
    assert store.earlier("other", digest="d") is None
    for reuse in (
        lambda: store.earlier("k", digest="x"),
        lambda: store.create(new_job("c", key="k"), digest="x"),
    ):
        with pytest.raises(ReusedKeyError):
            reuse()


def test_a_full_service_still_knows_its_keys(store: JobStore) -> None:  # noqa: F811
    """A repetition takes no place."""
    bounded(store, max_open_jobs=1)
    store.create(new_job("a", key="k"), digest="d")

    assert store.create(new_job("b", key="k"), digest="d").task_id == "a"


def test_a_withdrawn_job_frees_its_key(store: JobStore) -> None:  # noqa: F811
    """Unless another request was given it meanwhile: what was promised to that one is kept."""
    store.create(new_job("a", key="k"), digest="d")
    freed = store.discard("a")
    store.create(new_job("b", key="k"), digest="d")
    store.earlier("k", digest="d")
    kept = store.discard("b")

    assert (freed, kept, store.get("a")) == (True, False, None)
    assert store.get("b").state == "PENDING"


def test_a_key_in_many_processes_is_one_job(redis_url: str) -> None:
    """At the same moment, over stores of their own."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    settings, start = TasksSettings(job_store_url=redis_url), Barrier(10)
    made = [RedisJobStore(settings, patience_seconds=1.0) for _ in range(10)]
    given: list[str] = []

    def send(n: int) -> None:
        start.wait()
        given.append(made[n].create(new_job(str(n), key="k"), digest="d").task_id)

    in_parallel(send, 10)

    assert (len(given), len(set(given)), made[0].load().open_jobs) == (10, 1, 1)


def test_what_is_over_is_forgotten_once(store: JobStore) -> None:  # noqa: F811
    """The document goes, the state stays; what is not over stays whole."""
    store.create(new_job("a", image_url="http://somewhere"))
    early = store.forget("a")
    finished(store, "a")
    forgotten = [store.forget("a") for _ in range(2)]
    job = store.get("a")

    assert (early, forgotten, store.forget("never")) == (False, [True, False], False)
    assert (job.state, job.filename, job.image_url) == (SUCCESS, "", "")
    assert store.document("a") is None


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
