"""Jobs whose pictures took every worker with them, kept apart until somebody has looked at them."""

import json
from dataclasses import asdict, dataclass, fields
from time import time
from typing import Any, Protocol

from tasks.job_stores import Job
from tasks.job_stores.connection import connect, translated
from tasks.settings import TasksSettings

INDEX, ENTRY = "petiole:quarantine", "petiole:quarantined:"
CAUSE = "cause"


@dataclass(frozen=True)
class Quarantined:
    """A job as it was when it failed, since when (seconds since the epoch), and why."""

    job: Job
    since: float
    cause: str = ""


class Quarantine(Protocol):
    """Keeps jobs for `quarantine_ttl_seconds`; their uploads are kept as long.

    Every method raises `ServiceUnavailableError` when the store cannot be reached.
    """

    def put(self, job: Job, *, cause: str = "") -> None:
        """Keep a job, and why it failed."""

    def all(self) -> list[Quarantined]:
        """Return the jobs that are kept, the oldest first."""

    def has(self, task_id: str) -> bool:
        """Tell whether a job is kept."""

    def release(self, task_id: str) -> bool:
        """Keep a job no longer; tells whether it was kept."""


class MemoryQuarantine:
    """For Celery's eager mode and for tests."""

    def __init__(self, settings: TasksSettings) -> None:
        """Start empty."""
        self._ttl_seconds = settings.quarantine_ttl_seconds
        self._kept: dict[str, Quarantined] = {}

    def put(self, job: Job, *, cause: str = "") -> None:
        """Keep a job, and why it failed."""
        self._kept[job.task_id] = Quarantined(job, time(), cause)

    def all(self) -> list[Quarantined]:
        """Return the jobs that are kept, the oldest first."""
        young = (each for each in self._kept.values() if time() - each.since < self._ttl_seconds)
        return sorted(young, key=lambda each: each.since)

    def has(self, task_id: str) -> bool:
        """Tell whether a job is kept."""
        return any(each.job.task_id == task_id for each in self.all())

    def release(self, task_id: str) -> bool:
        """Keep a job no longer; tells whether it was kept."""
        return self._kept.pop(task_id, None) is not None


class RedisQuarantine:
    """A string for each job, which expires, and their ids in a sorted set by time."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._ttl_seconds = settings.quarantine_ttl_seconds
        self._client: Any = connect(settings.job_store_url, patience_seconds=0.0)

    @translated
    def put(self, job: Job, *, cause: str = "") -> None:
        """Keep a job, and why it failed."""
        with self._client.pipeline(transaction=True) as pipeline:
            entry = json.dumps({**asdict(job), CAUSE: cause})
            pipeline.set(ENTRY + job.task_id, entry, ex=self._ttl_seconds)
            pipeline.zadd(INDEX, {job.task_id: time()})
            pipeline.expire(INDEX, self._ttl_seconds)
            pipeline.execute()

    @translated
    def all(self) -> list[Quarantined]:
        """Return the jobs that are kept, the oldest first."""
        self._client.zremrangebyscore(INDEX, "-inf", time() - self._ttl_seconds)
        rows = self._client.zrange(INDEX, 0, -1, withscores=True)
        texts = self._client.mget([ENTRY + task_id for task_id, _ in rows]) if rows else []
        found = zip(texts, rows, strict=True)
        return [_read(text, float(since)) for text, (_, since) in found if text]

    @translated
    def has(self, task_id: str) -> bool:
        """Tell whether a job is kept."""
        return bool(self._client.exists(ENTRY + task_id))

    @translated
    def release(self, task_id: str) -> bool:
        """Keep a job no longer; tells whether it was kept."""
        self._client.zrem(INDEX, task_id)
        return bool(self._client.delete(ENTRY + task_id))


def _read(text: str, since: float) -> Quarantined:
    """Return what an entry keeps; fields of a job that a later version wrote are left out."""
    entry = json.loads(text)
    known = {field.name for field in fields(Job)}
    job = Job(**{name: value for name, value in entry.items() if name in known})
    return Quarantined(job, since, entry.get(CAUSE, ""))
