"""Job records in Redis or Valkey: a hash for each job, its document beside it.

State changes are Lua scripts, so two processes never both end one job.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, fields
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from tasks.errors import ServiceUnavailableError
from tasks.job_stores import OVER, PENDING, RETRY, STARTED, CeleryResult, Job, Outcome
from tasks.job_stores.notices import FINISHED_CHANNEL, FinishNotices, RedisWatch
from tasks.settings import TasksSettings

JOB, DOCUMENT, READY = "petiole:job:", "petiole:document:", "petiole:ready:"
DISCARDED, DISCARDED_SECONDS = "petiole:discarded:", 3600
READY_MEMBERS, COUNTS = "petiole:ready-members", "petiole:counts"

# A stalled server may carry out a creation after the discard that was sent later, over another
# connection: the discard therefore leaves a mark.
CREATE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""

REQUEUE = """
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'SUCCESS' or state == 'FAILURE' or state == 'REVOKED' then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
"""

CLAIM = """
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'SUCCESS' or state == 'FAILURE' or state == 'REVOKED' then return false end
local attempts = redis.call('HINCRBY', KEYS[1], 'attempts:' .. ARGV[1], 1)
redis.call('HSET', KEYS[1], 'state', 'STARTED', 'attempts', attempts)
return redis.call('HGETALL', KEYS[1])
"""

MARK_RETRY = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'PENDING' or state == 'STARTED' then redis.call('HSET', KEYS[1], 'state', 'RETRY') end
"""

NOTE_PROGRESS = """
if redis.call('HGET', KEYS[1], 'state') ~= 'STARTED' then return end
redis.call('HSET', KEYS[1], 'progress', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

# ARGV: new state, document, its seconds to live, the record's, channel, task id, the states
# that may be ended (separated by spaces), Celery's result (or nothing) and its seconds to live,
# then pairs of a count's name and its amount.
FINISH = """
local state = redis.call('HGET', KEYS[1], 'state')
if not state or not string.find(ARGV[7], state, 1, true) then return state end
redis.call('HSET', KEYS[1], 'state', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if ARGV[8] ~= '' then
    redis.call('SET', KEYS[4], ARGV[8], 'EX', ARGV[9])
    redis.call('PUBLISH', KEYS[4], ARGV[8])
end
for i = 10, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[3], ARGV[i], ARGV[i + 1]) end
redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' ' .. ARGV[2])
return state
"""

NO_RESULT = CeleryResult(key="", value="", ttl_seconds=0)

P = ParamSpec("P")
R = TypeVar("R")


def _translated(method: Callable[P, R]) -> Callable[P, R]:
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
        self._create = self._client.register_script(CREATE)
        self._requeue = self._client.register_script(REQUEUE)
        self._claim = self._client.register_script(CLAIM)
        self._mark_retry = self._client.register_script(MARK_RETRY)
        self._note_progress = self._client.register_script(NOTE_PROGRESS)
        self._finish = self._client.register_script(FINISH)

    @_translated
    def create(self, job: Job) -> None:
        """Write the record of a new job."""
        keys = [JOB + job.task_id, DISCARDED + job.task_id]
        self._create(keys=keys, args=[self._settings.open_job_ttl_seconds, *_record(job)])

    @_translated
    def discard(self, task_id: str) -> None:
        """Forget a job whose message could not be published."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.delete(JOB + task_id)
            pipeline.set(DISCARDED + task_id, "", ex=DISCARDED_SECONDS)
            pipeline.execute()

    @_translated
    def get(self, task_id: str) -> Job | None:
        """Return the record, or None when there is none."""
        return _job(self._client.hgetall(JOB + task_id))

    @_translated
    def document(self, task_id: str) -> str | None:
        """Return the finished document as JSON, or None."""
        document: str | None = self._client.get(DOCUMENT + task_id)
        return document

    @_translated
    def claim(self, task_id: str, *, stage: str) -> Job | None:
        """Mark the job STARTED and count the attempt of this stage."""
        flat = self._claim(keys=[JOB + task_id], args=[stage])
        return _job(_paired(flat)) if flat else None

    @_translated
    def requeue(self, job: Job) -> bool:
        """Store what the download found; False when the job is unknown or over."""
        return bool(self._requeue(keys=[JOB + job.task_id], args=_record(job)))

    @_translated
    def mark_retry(self, task_id: str) -> None:
        """Show RETRY until the next claim."""
        self._mark_retry(keys=[JOB + task_id])

    @_translated
    def note_progress(self, task_id: str, progress: str) -> None:
        """Keep how far a started job is."""
        args = [progress, self._settings.open_job_ttl_seconds]
        self._note_progress(keys=[JOB + task_id], args=args)

    @_translated
    def finish(self, task_id: str, outcome: Outcome) -> bool:
        """End the job unless it is over already."""
        before = self._end(task_id, outcome, from_states=(PENDING, STARTED, RETRY))
        return before is not None and before not in OVER

    @_translated
    def revoke(self, task_id: str, outcome: Outcome, *, started: bool = False) -> str | None:
        """End the job only while it has not started, or also then; returns the state before."""
        from_states = (PENDING, RETRY, STARTED) if started else (PENDING, RETRY)
        return self._end(task_id, outcome, from_states=from_states)

    def _end(self, task_id: str, outcome: Outcome, *, from_states: tuple[str, ...]) -> str | None:
        lives = outcome.lives_seconds or self._settings.result_ttl_seconds
        result = outcome.celery_result or NO_RESULT
        counts = [part for pair in outcome.counts.items() for part in pair]
        before: str | None = self._finish(
            keys=[JOB + task_id, DOCUMENT + task_id, COUNTS, result.key],
            args=[
                outcome.state,
                outcome.document,
                lives,
                lives + self._settings.tombstone_ttl_seconds,
                FINISHED_CHANNEL,
                task_id,
                " ".join(from_states),
                result.value,
                result.ttl_seconds,
                *counts,
            ],
        )
        return before

    def watching(self, task_id: str) -> AbstractContextManager[RedisWatch]:
        """Give a watch on one job; enter it before the job is published."""
        return self._notices.watching(task_id)

    @_translated
    def count(self, counts: Mapping[str, float]) -> None:
        """Add to the sums outside of a job's end."""
        with self._client.pipeline(transaction=True) as pipeline:
            for name, amount in counts.items():
                pipeline.hincrbyfloat(COUNTS, name, amount)
            pipeline.execute()

    @_translated
    def counts(self) -> dict[str, float]:
        """Return the sums of all `Outcome.counts`."""
        return {name: float(amount) for name, amount in self._client.hgetall(COUNTS).items()}

    @_translated
    def announce_ready(self, member: str, note: str) -> None:
        """Renew the readiness key of one worker process."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.set(READY + member, note, ex=self._settings.ready_ttl_seconds)
            pipeline.sadd(READY_MEMBERS, member)
            pipeline.execute()

    @_translated
    def withdraw_ready(self, member: str) -> None:
        """Remove the readiness key of one worker process."""
        self._client.delete(READY + member)
        self._client.srem(READY_MEMBERS, member)

    @_translated
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


_FIELD_TYPES = {"top_k": int, "attempts": int, "accepted_at": float, "queued_since": float}
_FIELD_TYPES |= {"queued_ms": float, "download_ms": float}


def _job(record: dict[str, str]) -> Job | None:
    """Return the job of a Redis hash; None for an empty one, a missing key."""
    if not record:
        return None
    known = [field.name for field in fields(Job) if field.name in record]
    return Job(**{name: _FIELD_TYPES.get(name, str)(record[name]) for name in known})
