"""One contract, run on both stores of bulks: in memory and on a real Redis-compatible server."""

from collections.abc import Callable
from dataclasses import replace
from time import time
from uuid import uuid4

import pytest
import redis

from tasks import lanes
from tasks.bulk.memory_bulks import MemoryBulks
from tasks.bulk.records import LISTING, ZIP, Bulk, BulkStore, Ended, Entry, Pack
from tasks.bulk.redis_bulks import PACKS_OUT, RedisBulks, pace_of
from tasks.errors import QueueFullError
from tasks.job_stores import BULK, OVER, REVOKED, STARTED, SUCCESS, Job, JobStore
from tasks.job_stores.memory import MemoryJobStore
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings

Stores = tuple[BulkStore, JobStore]
Begin = Callable[[Bulk], Bulk]

PACKS = [Pack(n, 10 * n, 10, 2) for n in (1, 2, 3)]


@pytest.fixture(params=["memory", "redis"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Each implementation in turn, empty, beside its job records."""
    if request.param == "memory":
        jobs = MemoryJobStore(TasksSettings())
        return MemoryBulks(TasksSettings(bulk_max_open=2, bulk_max_open_bytes=100), jobs), jobs
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    settings = TasksSettings(job_store_url=url, bulk_max_open=2, bulk_max_open_bytes=100)
    return (
        RedisBulks(settings, patience_seconds=1.0),
        RedisJobStore(settings, patience_seconds=1.0),
    )


def a_bulk(size_bytes: int = 10) -> Bulk:
    """Return a new bulk."""
    return Bulk(str(uuid4()), "colours@1", 3, ZIP, time(), size_bytes=size_bytes)


def released(stores: Stores, bulk: Bulk) -> Job:
    """Release the next pack and claim it, as a worker does."""
    bulks, jobs = stores
    pack = bulks.next_pack(bulk.bulk_id)
    assert pack
    name, now = pack.id_in(bulk.bulk_id), time()
    job = Job(name, bulk.model, 3, "pack", now, now, kind=BULK, lane=lanes.BULK)
    assert bulks.release(pack, job)
    claimed = jobs.claim(name, stage="bulk", owner="me")
    assert claimed
    return claimed


def listed(stores: Stores, bulk: Bulk) -> Bulk:
    """Open a bulk of three packs and list it."""
    bulks, _ = stores
    bulks.open(bulk)
    job = released(stores, bulk)
    bulks.add_packs(job, PACKS)
    found = replace(bulk, total=6, packs=3, body=bulk.body_key, index="index")
    assert bulks.end_listing(job, found)
    return found


def ended(job: Job) -> Ended:
    """Return that one of two pictures of a pack has labels."""
    pack = Pack.of(f"{job.task_id.rpartition('-')[2]}:0:0:2")
    return Ended(Entry(pack, key=f"key of {pack.number}"), 1, 1)


def test_a_bulk_is_done_pack_by_pack(stores: Stores) -> None:
    """From its listing to its end, with counts and entries."""
    bulks, _ = stores
    bulk = listed(stores, a_bulk())
    for _ in PACKS:
        job = released(stores, bulk)
        assert bulks.end_pack(job, ended(job), fence=job.fence)
    now = bulks.get(bulk.bulk_id)

    assert now
    assert (now.state, now.total, now.succeeded, now.failed) == (SUCCESS, 6, 3, 3)
    assert now.over_at > bulk.submitted_at
    entries = bulks.entries(bulk.bulk_id, start=0, limit=10)
    assert [entry.key for entry in entries] == ["key of 1", "key of 2", "key of 3"]
    assert (bulks.next_pack(bulk.bulk_id), bulks.open_ids()) == (None, [])


def test_the_listing_comes_first(stores: Stores) -> None:
    """And alone: what is in the body is not known before."""
    bulks, _ = stores
    bulk = a_bulk()
    bulks.open(bulk)
    released(stores, bulk)

    assert bulks.pack_of(f"{bulk.bulk_id}-0") == Pack(LISTING)
    assert bulks.next_pack(bulk.bulk_id) is None


def test_only_the_last_claim_of_a_pack_counts(stores: Stores) -> None:
    """Whoever was cut off and wakes up late adds nothing, before the other's end and after."""
    bulks, jobs = stores
    bulk = listed(stores, a_bulk())
    first = released(stores, bulk)
    second = jobs.claim(first.task_id, stage="bulk", owner="another")
    assert second

    assert not bulks.end_pack(first, ended(first), fence=first.fence)
    assert bulks.end_pack(second, ended(second), fence=second.fence)
    assert not bulks.end_pack(second, ended(second), fence=second.fence)
    assert len(bulks.entries(bulk.bulk_id, start=0, limit=10)) == 1


def test_a_pack_is_released_once(stores: Stores) -> None:
    """Also where two processes saw that it was next."""
    bulks, _ = stores
    bulk = listed(stores, a_bulk())
    pack = bulks.next_pack(bulk.bulk_id)
    job = released(stores, bulk)

    assert pack
    assert not bulks.release(pack, job)


def test_few_packs_are_out_at_a_time(stores: Stores) -> None:
    """A thousand would stand before those of other bulks."""
    bulks, _ = stores
    bulk = a_bulk()
    bulks.open(bulk)
    job = released(stores, bulk)
    bulks.add_packs(job, [Pack(n) for n in range(1, 2 * PACKS_OUT)])
    bulks.end_listing(job, replace(bulk, total=9, packs=2 * PACKS_OUT - 1))
    out = [released(stores, bulk) for _ in range(PACKS_OUT)]

    assert bulks.next_pack(bulk.bulk_id) is None
    bulks.end_pack(out[0], ended(out[0]), fence=out[0].fence)
    assert bulks.next_pack(bulk.bulk_id) == Pack(PACKS_OUT + 1)


def test_a_paused_bulk_gets_its_packs_back(stores: Stores) -> None:
    """What was put back is next when it goes on, and its earlier claim counts no more."""
    bulks, jobs = stores
    bulk = listed(stores, a_bulk())
    job = released(stores, bulk)
    assert bulks.pause(bulk.bulk_id, is_paused=True)
    assert bulks.put_back(PACKS[0], job)
    assert not bulks.put_back(PACKS[0], job)
    assert bulks.next_pack(bulk.bulk_id) is None
    bulks.pause(bulk.bulk_id, is_paused=False)

    again = released(stores, bulk)
    assert again.task_id == job.task_id
    assert (jobs.get(job.task_id) or job).state == STARTED
    assert again.attempts == 1


def test_nothing_is_added_to_a_bulk_that_is_over(stores: Stores) -> None:
    """Its packs that are in work end without an entry."""
    bulks, jobs = stores
    bulk = listed(stores, a_bulk())
    job = released(stores, bulk)
    assert bulks.end(bulk.bulk_id, REVOKED)

    assert not bulks.end_pack(job, ended(job), fence=job.fence)
    assert (jobs.get(job.task_id) or job).state in OVER
    assert bulks.entries(bulk.bulk_id, start=0, limit=10) == []
    assert not bulks.end(bulk.bulk_id, SUCCESS)
    assert not bulks.pause(bulk.bulk_id, is_paused=True)


@pytest.mark.parametrize("sizes", [(10, 10, 10), (60, 60)])
def test_there_are_so_many_open_bulks_and_no_more(stores: Stores, sizes: tuple[int, ...]) -> None:
    """Neither in number nor in bytes, until one is over."""
    bulks, _ = stores
    *taken, last = map(a_bulk, sizes)
    for each in taken:
        bulks.open(each)
    with pytest.raises(QueueFullError):
        bulks.open(last)
    bulks.end(taken[0].bulk_id, REVOKED)

    bulks.open(last)


def test_what_a_pack_did_picture_by_picture_is_kept(stores: Stores) -> None:
    """A picture's starts are counted, and those of its pack begin anew with each."""
    bulks, jobs = stores
    job = released(stores, listed(stores, a_bulk()))
    counts = [bulks.begin_picture(job, 7), bulks.begin_picture(job, 7)]
    bulks.end_picture(job, 7, "a line")

    assert counts == [0, 1]
    assert bulks.lines(job.task_id) == {7: "a line"}
    assert (jobs.get(job.task_id) or job).attempts == 1


def test_a_bulk_is_forgotten_whole(stores: Stores) -> None:
    """Nothing of it is left."""
    bulks, _ = stores
    bulk = listed(stores, a_bulk())
    bulks.forget(bulk.bulk_id)

    assert bulks.get(bulk.bulk_id) is None
    assert (bulks.next_pack(bulk.bulk_id), bulks.open_ids()) == (None, [])


def test_packs_are_in_no_sum_of_single_pictures(stores: Stores) -> None:
    """Neither admitted by them nor counted."""
    _, jobs = stores
    released(stores, listed(stores, a_bulk()))
    load = jobs.load()

    assert (load.open_jobs, load.open_bytes, sum(load.waiting.values())) == (0, 0, 0)


def test_released_packs_are_open_work(redis_url: str) -> None:
    """For who scales workers of bulks: begun, then waiting again, then over."""
    settings = TasksSettings(job_store_url=redis_url)
    bulks = RedisBulks(settings, patience_seconds=1.0)
    jobs = RedisJobStore(settings, patience_seconds=1.0)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    job = released((bulks, jobs), listed((bulks, jobs), a_bulk()))
    seen = [jobs.work()["bulk"]]
    jobs.postpone(job, seconds=0.0)
    seen.append(jobs.work()["bulk"])
    bulks.drop_pack(job)
    seen.append(jobs.work()["bulk"])

    assert [(sum(each.waiting.values()), each.running) for each in seen] == [(0, 1), (1, 0), (0, 0)]


def test_the_pace_is_that_of_the_last_minute() -> None:
    """Since the oldest end in it, which is where its time begins."""
    assert pace_of([(100.0, 8), (99.0, 8), (90.0, 8), (10.0, 8)], 106.0).rate == 1.0
    assert pace_of([(100.0, 8)], 101.0).rate is None
