"""What a job store shows at one glance: the same in memory and on a real server."""

from dataclasses import replace

import pytest
import redis

from tasks import lanes
from tasks.job_stores import FAILURE, REVOKED, SUCCESS, TRAINING, Job, JobStore
from tasks.job_stores.measuring import LISTED
from tasks.job_stores.memory import MemoryJobStore
from tasks.job_stores.redis import RedisJobStore
from tasks.job_stores.sight import Lookout, MemoryLookout, RedisLookout
from tasks.settings import TasksSettings
from tests.test_tasks.test_job_stores import outcome, store  # noqa: F401 - the fixture

JOB = Job("", "m", 1, "f", accepted_at=1.0, queued_since=1.0, lane="classify", upload_bytes=7)
LOW = lanes.lane("classify", lanes.LOW)


@pytest.fixture
def lookout(store: JobStore, redis_url: str) -> Lookout:  # noqa: F811
    """Who looks at the store."""
    if isinstance(store, MemoryJobStore):
        return MemoryLookout(store)
    return RedisLookout(TasksSettings(job_store_url=redis_url))


def ids(shown) -> list[str]:
    """Return the ids of a list."""
    return [each.job.task_id for each in shown]


def created(store: JobStore, *task_ids: str, **more: object) -> None:  # noqa: F811
    """Record jobs that wait."""
    for task_id in task_ids:
        store.create(replace(JOB, task_id=task_id, **more))


def test_an_empty_store_shows_nothing(lookout: Lookout) -> None:
    """Every list is there."""
    sight = lookout.look(limit=2)

    assert (sight.load.open_jobs, sight.load.open_bytes, sight.in_work) == (0, 0, 0)
    assert sight.waiting == dict.fromkeys(lanes.EVERY, ())
    assert (sight.started, sight.failed, sight.trainings) == ((), (), ())


def test_lists_are_cut_and_numbers_are_not(store: JobStore, lookout: Lookout) -> None:  # noqa: F811
    """The oldest of each lane, by when they were queued."""
    created(store, "a", "b", "c")
    created(store, "low", lane=LOW, priority=lanes.LOW)
    created(store, "x", "y", "z")
    for task_id in ("x", "y", "z"):
        store.claim(task_id, stage="classify", owner="me")
    sight = lookout.look(limit=2)

    assert (ids(sight.waiting["classify"]), ids(sight.waiting[LOW])) == (["a", "b"], ["low"])
    assert (sight.load.waiting["classify"], sight.load.open_bytes) == (3, 49)
    assert (ids(sight.started), sight.in_work, sight.load.open_jobs) == (["x", "y"], 3, 7)
    assert sight.waiting["classify"][0].since == pytest.approx(sight.now, abs=60)


def test_failures_are_shown_while_their_end_is_known(store: JobStore, lookout: Lookout) -> None:  # noqa: F811
    """The latest first; not what succeeded, was cancelled or was forgotten."""
    ends = {"a": FAILURE, "b": SUCCESS, "c": REVOKED, "d": FAILURE, "e": FAILURE}
    for task_id, state in ends.items():
        created(store, task_id)
        store.finish(task_id, outcome(state, ended=1))
    store.forget("d")
    sight = lookout.look(limit=5)

    assert ids(sight.failed) == ["e", "a"]
    assert sight.failed[0].document == '{"state": "FAILURE"}'
    assert sight.counts["ended"] == 5.0


def test_the_last_hundred_failures_are_noted(store: JobStore, lookout: Lookout) -> None:  # noqa: F811
    """However many there were."""
    names = [str(n) for n in range(LISTED + 3)]
    created(store, *names)
    for task_id in names:
        store.finish(task_id, outcome(FAILURE, ended=1))
    shown = ids(lookout.look(limit=2 * LISTED).failed)

    assert LISTED == 100
    assert shown == names[:2:-1]


def test_trainings_are_shown_whatever_became_of_them(store: JobStore, lookout: Lookout) -> None:  # noqa: F811
    """The latest first; a failed one is no failed picture."""
    created(store, "a", "b", "c", kind=TRAINING, lane="", upload_bytes=0)
    store.finish("a", outcome(FAILURE))
    store.finish("b", outcome(SUCCESS))
    sight = lookout.look(limit=2)

    assert (ids(sight.trainings), sight.failed) == (["c", "b"], ())
    assert [each.document is None for each in sight.trainings] == [True, False]


def test_lists_of_the_server_are_short_and_end(redis_url: str) -> None:
    """A hundred failures at most, whatever fails; and no picture that is well is in one."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushdb()
        made = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
        created(made, *map(str, range(130)))
        for n in range(120):
            made.finish(str(n), outcome(FAILURE if n < 110 else SUCCESS))
        listed = client.zrange("petiole:failed", 0, -1)
        seconds = client.ttl("petiole:failed")
        lists = set(client.scan_iter(match="petiole:*", _type="zset"))

    assert (len(listed), listed[-1], seconds > 0) == (100, "109", True)
    assert lists == {"petiole:failed", "petiole:open:classify"}


def test_a_thousand_cost_what_ten_cost(redis_url: str) -> None:
    """The commands that are sent do not become more with what waits."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        made = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
        lookout = RedisLookout(TasksSettings(job_store_url=redis_url))
        commands = []
        for n in (10, 1000):
            client.flushdb()
            created(made, *map(str, range(n)))
            lookout.look(limit=10)
            before = client.info("stats")["total_commands_processed"]
            assert lookout.look(limit=10).load.open_jobs == n
            commands.append(client.info("stats")["total_commands_processed"] - before)

    assert commands[0] == commands[1]
