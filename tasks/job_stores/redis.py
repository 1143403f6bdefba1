"""Job records in Redis or Valkey: a hash for each job, its document beside it.

State changes are Lua scripts, so two processes never both end one job.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from tasks.envelopes import Envelope
from tasks.errors import ServiceUnavailableError
from tasks.job_stores import PENDING, RETRY, STARTED, CeleryResult, Job, Outcome, scripts
from tasks.job_stores.notices import FINISHED_CHANNEL, FinishNotices, RedisWatch
from tasks.settings import TasksSettings

JOB, DOCUMENT, READY = "petiole:job:", "petiole:document:", "petiole:ready:"
DISCARDED, DISCARDED_SECONDS = "petiole:discarded:", 3600
READY_MEMBERS, COUNTS = "petiole:ready-members", "petiole:counts"
OPEN, STARTED_JOBS, TURN = "petiole:open:", "petiole:started", "petiole:turn:"

NO_RESULT = CeleryResult(key="", value="", ttl_seconds=0)
NO_MESSAGE = Envelope(key="", payload="")

P = ParamSpec("P")
R = TypeVar("R")


def translated(method: Callable[P, R]) -> Callable[P, R]:
    """Turn redis-py's connection errors into `ServiceUnavailableError`."""

    @wraps(method)
    def _call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError) as exc:
            message = f"the job store did not answer ({type(exc).__name__}); try again shortly"
            raise ServiceUnavailableError(message) from exc

    return _call


def connect(url: str, *, patience_seconds: float) -> Any:
    """Return a client that gives up after about `patience_seconds` of failed tries.

    A timeout is not tried again: the command may have been carried out. Typed as Any because
    redis-py's annotations do not know that `decode_responses` makes every answer a str.
    """
    # Tries wait 0.1, 0.2, … s, at most 1 s; one immediate retry heals a connection that a
    # restarted server closed.
    tries = max(1, round(patience_seconds))
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=1.0,
        socket_timeout=1.0 if patience_seconds <= 1 else 5.0,
        health_check_interval=30,
        max_connections=200,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.1), tries, (redis.ConnectionError,)),
    )


class RedisJobStore:
    """The job store of every deployment; safe between threads, processes and hosts."""

    def __init__(self, settings: TasksSettings, *, patience_seconds: float) -> None:
        """Connect when first used; see `connect` for the patience."""
        self._settings = settings
        self._client = connect(settings.job_store_url, patience_seconds=patience_seconds)
        self._notices = FinishNotices(self._client, document_prefix=DOCUMENT)
        register = self._client.register_script
        self._create, self._requeue = register(scripts.CREATE), register(scripts.REQUEUE)
        self._claim, self._postpone = register(scripts.CLAIM), register(scripts.POSTPONE)
        self._send_again, self._finish = register(scripts.SEND_AGAIN), register(scripts.FINISH)
        self._mark_retry = register(scripts.MARK_RETRY)
        self._note_progress = register(scripts.NOTE_PROGRESS)

    @translated
    def create(self, job: Job, envelope: Envelope | None = None) -> None:
        """Write the record of a new job, together with its message where one is given."""
        message = envelope or NO_MESSAGE
        waits = OPEN + job.lane if job.lane else ""
        keys = [JOB + job.task_id, DISCARDED + job.task_id, waits, message.key]
        lives = self._settings.open_job_ttl_seconds
        self._create(keys=keys, args=[lives, job.task_id, message.payload, *_record(job)])

    @translated
    def discard(self, task_id: str) -> None:
        """Forget a job whose message could not be published."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.delete(JOB + task_id)
            pipeline.set(DISCARDED + task_id, "", ex=DISCARDED_SECONDS)
            pipeline.execute()

    @translated
    def get(self, task_id: str) -> Job | None:
        """Return the record, or None when there is none."""
        return _job(self._client.hgetall(JOB + task_id))

    @translated
    def document(self, task_id: str) -> str | None:
        """Return the finished document as JSON, or None."""
        document: str | None = self._client.get(DOCUMENT + task_id)
        return document

    @translated
    def claim(self, task_id: str, *, stage: str, owner: str = "") -> Job | None:
        """Mark the job STARTED by `owner` and count the attempt of this stage."""
        args = [task_id, stage, owner, READY]
        flat = self._claim(keys=[JOB + task_id, STARTED_JOBS], args=args)
        return _job(_paired(flat)) if flat else None

    @translated
    def requeue(self, job: Job, envelope: Envelope | None = None) -> bool:
        """Store what the download found; False when the job is unknown, over, or claimed since."""
        message = envelope or NO_MESSAGE
        keys = [JOB + job.task_id, OPEN + job.lane, STARTED_JOBS, message.key]
        args = [job.task_id, message.payload, job.fence, *_record(job)]
        return bool(self._requeue(keys=keys, args=args))

    @translated
    def postpone(self, job: Job, *, seconds: float) -> bool:
        """Take a claim back: the job shows RETRY and is due again in so many seconds."""
        args = [job.task_id, job.fence, seconds]
        return bool(self._postpone(keys=[JOB + job.task_id, STARTED_JOBS], args=args))

    @translated
    def send_again(
        self, job: Job, envelope: Envelope | None = None, *, queued_for_seconds: float = 0.0
    ) -> bool:
        """Let a job whose message or worker is lost wait once more."""
        message = envelope or NO_MESSAGE
        keys = [JOB + job.task_id, OPEN + job.lane, STARTED_JOBS, message.key]
        args = [job.task_id, job.fence, message.payload, queued_for_seconds]
        return bool(self._send_again(keys=keys, args=args))

    @translated
    def mark_retry(self, task_id: str) -> None:
        """Show RETRY until the next claim."""
        self._mark_retry(keys=[JOB + task_id])

    @translated
    def note_progress(self, task_id: str, progress: str) -> None:
        """Keep how far a started job is."""
        args = [progress, self._settings.open_job_ttl_seconds]
        self._note_progress(keys=[JOB + task_id], args=args)

    @translated
    def finish(self, task_id: str, outcome: Outcome, *, fence: int | None = None) -> bool:
        """End the job unless it is over already, or claimed since the claim with this fence."""
        before = self._end(task_id, outcome, from_states=(PENDING, STARTED, RETRY), fence=fence)
        return before in {PENDING, STARTED, RETRY}

    @translated
    def revoke(self, task_id: str, outcome: Outcome, *, started: bool = False) -> str | None:
        """End the job only while it has not started, or also then; returns the state before."""
        from_states = (PENDING, RETRY, STARTED) if started else (PENDING, RETRY)
        return self._end(task_id, outcome, from_states=from_states)

    def _end(
        self,
        task_id: str,
        outcome: Outcome,
        *,
        from_states: tuple[str, ...],
        fence: int | None = None,
    ) -> str | None:
        lives = outcome.lives_seconds or self._settings.result_ttl_seconds
        result = outcome.celery_result or NO_RESULT
        counts = [part for pair in outcome.counts.items() for part in pair]
        before: str | None = self._finish(
            keys=[JOB + task_id, DOCUMENT + task_id, COUNTS, result.key, STARTED_JOBS],
            args=[
                outcome.state,
                outcome.document,
                lives,
                lives + self._settings.tombstone_ttl_seconds,
                FINISHED_CHANNEL,
                task_id,
                " ".join(from_states),
                "" if fence is None else fence,
                result.value,
                result.ttl_seconds,
                *counts,
            ],
        )
        return before

    def watching(self, task_id: str) -> AbstractContextManager[RedisWatch]:
        """Give a watch on one job; enter it before the job is published."""
        return self._notices.watching(task_id)

    @translated
    def count(self, counts: Mapping[str, float]) -> None:
        """Add to the sums outside of a job's end."""
        with self._client.pipeline(transaction=True) as pipeline:
            for name, amount in counts.items():
                pipeline.hincrbyfloat(COUNTS, name, amount)
            pipeline.execute()

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
        seconds, microseconds = self._client.time()
        return float(seconds) + float(microseconds) / 1e6

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


def _record(job: Job) -> list[Any]:
    """Return names and values in turn, as HSET takes them."""
    return [part for field in asdict(job).items() for part in field]


def _paired(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


_WHOLE = ("top_k", "attempts", "fence", "postponed", "resent")
_BROKEN = ("accepted_at", "queued_since", "queued_ms", "download_ms")
_FIELD_TYPES: dict[str, type[Any]] = {**dict.fromkeys(_WHOLE, int), **dict.fromkeys(_BROKEN, float)}


def _job(record: dict[str, str]) -> Job | None:
    """Return the job of a Redis hash; None for an empty one, a missing key."""
    if not record:
        return None
    known = [field.name for field in fields(Job) if field.name in record]
    return Job(**{name: _FIELD_TYPES.get(name, str)(record[name]) for name in known})
