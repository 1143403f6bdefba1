"""What a job store shows at one glance, however much there is: sums, and the ends of each list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tasks import lanes
from tasks.job_stores import FAILURE, STARTED, TRAINING, Job, Load
from tasks.job_stores.connection import connect, translated
from tasks.job_stores.hashes import job_of
from tasks.job_stores.measuring import (
    DRAIN,
    FAILED,
    LISTED,
    OPEN,
    SIZES,
    STARTED_JOBS,
    TRAININGS,
    Drain,
)
from tasks.job_stores.memory import MemoryJobStore
from tasks.job_stores.redis_upkeep import COUNTS, DOCUMENT, JOB
from tasks.settings import TasksSettings


@dataclass(frozen=True)
class Shown:
    """One job of a list; `since` (seconds since the epoch) is when it came into that list.

    `document` is there for what is over, as long as it is kept.
    """

    job: Job
    since: float
    document: str | None = None


@dataclass(frozen=True)
class Sight:
    """One moment of a job store; of each list so many jobs as were asked for.

    Attributes:
        now: The store's time, in seconds since the epoch.
        load: How much there is to do.
        in_work: How many jobs are started.
        rates: Jobs a second that leave a queue, where that is known.
        counts: The sums of all `Outcome.counts`.
        waiting: The oldest of each lane, by lane.
        started: The oldest.
        failed: The latest, trainings left out.
        trainings: The latest, whatever became of them.
    """

    now: float
    load: Load
    in_work: int
    rates: Mapping[str, float]
    counts: Mapping[str, float]
    waiting: Mapping[str, tuple[Shown, ...]]
    started: tuple[Shown, ...]
    failed: tuple[Shown, ...]
    trainings: tuple[Shown, ...]


class Lookout(Protocol):
    """Looks at a job store."""

    def look(self, *, limit: int) -> Sight:
        """Return what there is now, with at most `limit` jobs of each list.

        Raises:
            ServiceUnavailableError: the store cannot be reached.
        """


Listing = list[tuple[str, float]]
"""Ids of jobs with the time at which each came into the list."""

QUEUES = tuple(lanes.TASKS)
LISTS = (*(OPEN + lane for lane in lanes.EVERY), STARTED_JOBS)
LATEST_FIRST = (FAILED, TRAININGS)


class RedisLookout:
    """Looks with one transaction for the lists and one pipeline for the records in them."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._client: Any = connect(settings.job_store_url, patience_seconds=0.0)

    @translated
    def look(self, *, limit: int) -> Sight:
        """Return what there is now, with at most `limit` jobs of each list."""
        with self._client.pipeline(transaction=True) as pipeline:
            _ask(pipeline, limit)
            said = iter(pipeline.execute())
        now, counts = _seconds(next(said)), next(said)
        waiting = {lane: next(said) for lane in lanes.EVERY}
        in_work, sizes, total = next(said), next(said), next(said)
        drains = {queue: next(said) for queue in QUEUES}
        *oldest, started, failed, trainings = self._shown(list(said))
        return Sight(
            now=now,
            load=Load(waiting, max(0, sizes - 1), int(total or 0)),
            in_work=in_work,
            rates={queue: rate for queue, d in drains.items() if (rate := _rate(d, now))},
            counts={name: float(amount) for name, amount in counts.items()},
            waiting=dict(zip(lanes.EVERY, oldest, strict=True)),
            started=started,
            failed=tuple(each for each in failed if each.document),
            trainings=trainings,
        )

    def _shown(self, listings: list[Listing]) -> list[tuple[Shown, ...]]:
        """Return the jobs of each listing; those whose record is gone are left out."""
        task_ids = [task_id for listing in listings for task_id, _ in listing]
        with self._client.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                pipeline.hgetall(JOB + task_id)
                pipeline.get(DOCUMENT + task_id)
            said = pipeline.execute()
        records = {
            task_id: (job_of(record), document)
            for task_id, record, document in zip(task_ids, said[::2], said[1::2], strict=True)
        }
        return [_known(listing, records) for listing in listings]


def _ask(pipeline: Any, limit: int) -> None:
    pipeline.time()
    pipeline.hgetall(COUNTS)
    for lane in lanes.EVERY:
        pipeline.zcard(OPEN + lane)
    pipeline.zcard(STARTED_JOBS)
    pipeline.hlen(SIZES)
    pipeline.hget(SIZES, "total")
    for queue in QUEUES:
        pipeline.hmget(DRAIN + queue, "at", "busy", "left", "seconds")
    for key in LISTS:
        pipeline.zrange(key, 0, limit - 1, withscores=True)
    for key in LATEST_FIRST:
        pipeline.zrange(key, 0, limit - 1, desc=True, withscores=True)


def _known(
    listing: Listing, records: Mapping[str, tuple[Job | None, str | None]]
) -> tuple[Shown, ...]:
    found = ((*records[task_id], float(since)) for task_id, since in listing)
    return tuple(Shown(job, since, document) for job, document, since in found if job is not None)


def _seconds(time: tuple[int, int]) -> float:
    return time[0] + time[1] / 1e6


def _rate(drain: Sequence[str | None], now: float) -> float | None:
    at, busy, left, seconds = drain
    return Drain(float(at or 0), busy == "1", float(left or 0), float(seconds or 0)).rate(now)


class MemoryLookout:
    """For Celery's eager mode and for tests; how fast jobs leave is not known."""

    def __init__(self, store: MemoryJobStore) -> None:
        """Look at this store."""
        self._store = store

    def look(self, *, limit: int) -> Sight:
        """Return what there is now, with at most `limit` jobs of each list."""
        store, jobs = self._store, self._store.jobs()
        shown = [Shown(job, job.accepted_at, store.document(job.task_id)) for job in jobs]
        started = [each for each in shown if each.job.lane and each.job.state == STARTED]
        failed = [each for each in shown if each.job.state == FAILURE and each.document]
        return Sight(
            now=store.now(),
            load=store.load(),
            in_work=len(started),
            rates={},
            counts=store.counts(),
            waiting={lane: self._waiting(lane, limit) for lane in lanes.EVERY},
            started=tuple(started[:limit]),
            failed=tuple(e for e in reversed(failed) if e.job.kind != TRAINING)[
                : min(limit, LISTED)
            ],
            trainings=tuple(e for e in reversed(shown) if e.job.kind == TRAINING)[:limit],
        )

    def _waiting(self, lane: str, limit: int) -> tuple[Shown, ...]:
        task_ids = self._store.overdue(lane, before=float("inf"), limit=limit)
        since = self._store.queued_since(lane, task_ids)
        found = zip(map(self._store.get, task_ids), since, strict=True)
        return tuple(Shown(job, at) for job, at in found if job is not None)
