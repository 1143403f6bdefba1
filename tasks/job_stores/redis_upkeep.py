"""What the job store in Redis tells those who look after it: sums, lanes, readiness, turns."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks import lanes
from tasks.job_stores import Load, Work, tallying
from tasks.job_stores.connection import time_of, translated
from tasks.job_stores.measuring import DEADLINES, OPEN, SIZES, STARTED_JOBS, work_of
from tasks.settings import TasksSettings
from tasks.statistics import Tally

JOB, READY, TURN = "petiole:job:", "petiole:ready:", "petiole:turn:"
DOCUMENT, KEY = "petiole:document:", "petiole:idempotency:"
DISCARDED = "petiole:discarded:"
READY_MEMBERS, COUNTS = "petiole:ready-members", "petiole:counts"
FORMAT_KEY, FORMAT = "petiole:format", 1
"""The format of all records; 0.1 noted none, and its records are of format 1."""


class RedisUpkeep:
    """The part of `RedisJobStore` that is not about one job."""

    _client: Any
    _settings: TasksSettings
    _work: Any
    _tally: Any

    @translated
    def count(self, counts: Mapping[str, float]) -> None:
        """Add to the sums outside of a job's end."""
        with self._client.pipeline(transaction=True) as pipeline:
            for name, amount in counts.items():
                pipeline.hincrbyfloat(COUNTS, name, amount)
            pipeline.execute()

    @translated
    def tally(self, tally: Tally) -> None:
        """Add what a process has added up, with one script."""
        words = tallying.words_of(tally, most_labels=self._settings.metrics_labels)
        self._tally(keys=[COUNTS], args=words)

    @translated
    def counts(self) -> dict[str, float]:
        """Return the sums of all `Outcome.counts`."""
        return {name: float(amount) for name, amount in self._client.hgetall(COUNTS).items()}

    @translated
    def queued_since(self, lane: str, task_ids: Sequence[str]) -> list[float]:
        """Return when those of these jobs that wait in a lane were queued."""
        scores = self._client.zmscore(OPEN + lane, list(task_ids)) if task_ids else []
        return [float(score) for score in scores if score is not None]

    @translated
    def overdue(self, lane: str, *, before: float, limit: int) -> list[str]:
        """Return jobs of a lane that were queued before a moment, the oldest first."""
        found: list[str] = self._client.zrangebyscore(OPEN + lane, "-inf", before, 0, limit)
        return found

    @translated
    def late(self, *, before: float, limit: int) -> list[str]:
        """Return jobs whose deadline was before a moment."""
        found: list[str] = self._client.zrangebyscore(DEADLINES, "-inf", before, 0, limit)
        return found

    @translated
    def load(self) -> Load:
        """Return how much there is to do."""
        with self._client.pipeline(transaction=False) as pipeline:
            for lane in lanes.EVERY:
                pipeline.zcard(OPEN + lane)
            pipeline.hlen(SIZES)
            pipeline.hget(SIZES, "total")
            *waiting, sizes, total = pipeline.execute()
        open_jobs = max(0, sizes - 1)  # one is the total
        return Load(dict(zip(lanes.EVERY, waiting, strict=True)), open_jobs, int(total or 0))

    @translated
    def work(self) -> dict[str, Work]:
        """Return what waits and what is worked on, by queue, with one script."""
        rows = zip(lanes.WATCHED, self._work(args=lanes.WATCHED), strict=True)
        return work_of({lane: (n, float(oldest), begun) for lane, (n, oldest, begun) in rows})

    @translated
    def first_messages(self, lane: str, *, limit: int) -> list[str]:
        """Return the messages of a lane that are taken next, where the broker is this Redis."""
        found: list[str] = self._client.lrange(lane, -limit, -1)
        return found

    @translated
    def held(self) -> dict[str, str]:
        """Return the started jobs that are watched over, with the process that claimed each."""
        task_ids = self._client.zrange(STARTED_JOBS, 0, -1)
        with self._client.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                pipeline.hget(JOB + task_id, "owner")
            owners = pipeline.execute()
        return {t: owner or "" for t, owner in zip(task_ids, owners, strict=True)}

    @translated
    def now(self) -> float:
        """Return Redis' time, in seconds since the epoch."""
        return time_of(self._client)

    @translated
    def take_turn(self, name: str, owner: str, *, seconds: float) -> bool:
        """Tell whether `owner` is the one process that does something for the next seconds."""
        if self._client.set(TURN + name, owner, ex=max(1, round(seconds)), nx=True):
            return True
        mine = self._client.get(TURN + name) == owner
        return mine and bool(self._client.expire(TURN + name, max(1, round(seconds))))

    @translated
    def announce_ready(self, member: str, note: str) -> None:
        """Renew the readiness key of one worker process."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.set(READY + member, note, ex=self._settings.ready_ttl_seconds)
            pipeline.sadd(READY_MEMBERS, member)
            pipeline.set(FORMAT_KEY, FORMAT, nx=True)
            pipeline.execute()

    @translated
    def withdraw_ready(self, member: str) -> None:
        """Remove the readiness key of one worker process."""
        self._client.delete(READY + member)
        self._client.srem(READY_MEMBERS, member)

    @translated
    def ready(self) -> dict[str, str]:
        """Return the notes of the processes whose readiness has not run out."""
        members = sorted(self._client.smembers(READY_MEMBERS))
        notes = self._client.mget([READY + member for member in members]) if members else []
        gone = [member for member, note in zip(members, notes, strict=True) if note is None]
        if gone:
            self._client.srem(READY_MEMBERS, *gone)
        return {m: note for m, note in zip(members, notes, strict=True) if note is not None}
