"""Job records in Redis or Valkey: a hash for each job, its document beside it.

State changes are Lua scripts, so two processes never both end one job.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from math import ceil
from typing import Any

from tasks import lanes, statistics
from tasks.envelopes import Envelope
from tasks.errors import QueueFullError, ServiceUnavailableError
from tasks.job_stores import (
    PENDING,
    RETRY,
    STARTED,
    Accepted,
    CeleryResult,
    Job,
    Outcome,
    Place,
    Seen,
    Take,
    hashes,
    scripts,
)
from tasks.job_stores.connection import Clock, Memory, connect, translated
from tasks.job_stores.measuring import (
    OPEN,
    RETRY_UNKNOWN_SECONDS,
    STARTED_JOBS,
    WORK,
    retry_after,
)
from tasks.job_stores.notices import FINISHED_CHANNEL, FinishNotices, Hear, RedisWatch
from tasks.job_stores.redis_kept import RedisKept, earlier_id, text_of
from tasks.job_stores.redis_upkeep import COUNTS, DISCARDED, DOCUMENT, JOB, KEY, READY
from tasks.job_stores.tallying import TALLY
from tasks.settings import TasksSettings

DISCARDED_SECONDS = 3600

NO_RESULT = CeleryResult(key="", value="")
NO_MESSAGE = Envelope(key="", payload="")
NOTHING = Take(lanes=(), stage="", owner="")
OPEN_STATES = (PENDING, STARTED, RETRY)


class RedisJobStore(RedisKept):
    """The job store of every deployment; safe between threads, processes and hosts."""

    def __init__(self, settings: TasksSettings, *, patience_seconds: float) -> None:
        """Connect when first used; see `connect` for the patience."""
        self._settings = settings
        self._client = connect(settings.job_store_url, patience_seconds=patience_seconds)
        self._memory, self._clock = Memory(self._client), Clock(self._client)
        self._notices = FinishNotices(self._client, document_prefix=DOCUMENT)
        register = self._client.register_script
        self._create, self._requeue = register(scripts.CREATE), register(scripts.REQUEUE)
        self._claim, self._postpone = register(scripts.CLAIM), register(scripts.POSTPONE)
        self._send_again, self._finish = register(scripts.SEND_AGAIN), register(scripts.FINISH)
        self._discard, self._earlier = register(scripts.DISCARD), register(scripts.EARLIER)
        self._view, self._forget = register(scripts.VIEW), register(scripts.FORGET)
        self._mark_retry = register(scripts.MARK_RETRY)
        self._note_progress = register(scripts.NOTE_PROGRESS)
        self._work, self._tally = register(WORK), register(TALLY)
        self._register_kept()

    @translated
    def create(
        self,
        job: Job,
        envelope: Envelope | None = None,
        *,
        digest: str = "",
        unless_open: bool = False,
    ) -> Accepted:
        """Write the record of a new job, together with its message where one is given."""
        if job.lane and self._memory.share() > self._settings.max_memory_share:
            detail = "the job store's memory is nearly full; send it again later"
            raise QueueFullError(detail, retry_after_seconds=RETRY_UNKNOWN_SECONDS)
        said, *more = self._created(job, envelope or NO_MESSAGE, digest, unless_open)
        if said == "LATE":
            self._clock.set(float(more[0]))
            said, *more = self._created(job, envelope or NO_MESSAGE, digest, unless_open)
        if said == "LATE":
            raise ServiceUnavailableError("the job store's clock leaps; try again shortly")
        if said == "FULL":
            raise _full(open_jobs=more[0], rate=more[1])
        if said in {"EARLIER", "REUSED"}:
            return Accepted(earlier_id(said, *more))
        return Accepted(job.task_id, _place(*more) if more else None)

    def _created(self, job: Job, message: Envelope, digest: str, unless_open: bool) -> list[Any]:
        waits, key = OPEN + job.lane if job.lane else "", KEY + job.key if job.key else ""
        said: list[Any] = self._create(
            keys=[JOB + job.task_id, DISCARDED + job.task_id, waits, message.key, key, COUNTS],
            args=[
                self._settings.open_job_ttl_seconds,
                job.task_id,
                message.payload,
                job.lane,
                self._settings.max_open_jobs,
                self._settings.max_open_bytes,
                job.upload_bytes,
                f"{job.deadline_seconds:g}",
                digest,
                self._settings.longest_record_seconds,
                self._clock.too_late(),
                statistics.of_accepted(job.version, lane=job.lane),
                int(unless_open),
                *hashes.flat(job, whole=False),
            ],
        )
        return said

    @translated
    def earlier(self, key: str, *, digest: str) -> str | None:
        """Return the job of an earlier request with this key, if there was one."""
        found = self._earlier(keys=[KEY + key], args=[digest])
        return earlier_id(*found) if found else None

    @translated
    def discard(self, task_id: str) -> bool:
        """Forget a job, unless another request of its key was given it as well."""
        keys = [JOB + task_id, DISCARDED + task_id, STARTED_JOBS, COUNTS]
        args = [task_id, DISCARDED_SECONDS, KEY, statistics.WITHDRAWN, *lanes.WATCHED]
        return bool(self._discard(keys=keys, args=args))

    @translated
    def get(self, task_id: str) -> Job | None:
        """Return the record, or None when there is none."""
        return hashes.job_of(self._client.hgetall(JOB + task_id))

    @translated
    def document(self, task_id: str) -> str | None:
        """Return the finished document as JSON, or None."""
        document: str | None = self._client.get(DOCUMENT + task_id)
        return document

    @translated
    def view(self, task_id: str) -> Seen:
        """Return what is there of a job."""
        return _seen(*self._view(keys=[DOCUMENT + task_id, JOB + task_id]))

    @translated
    def views(self, task_ids: Sequence[str]) -> list[Seen]:
        """Return what is there of each of these jobs, with one round trip."""
        with self._client.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                self._view(keys=[DOCUMENT + task_id, JOB + task_id], client=pipeline)
            return [_seen(*said) for said in pipeline.execute()]

    @translated
    def claim(self, task_id: str, *, stage: str, owner: str = "") -> Job | None:
        """Mark the job STARTED by `owner` and count the attempt of this stage."""
        args = [task_id, stage, owner, READY]
        flat = self._claim(keys=[JOB + task_id, STARTED_JOBS], args=args)
        return hashes.job_of(hashes.paired(flat)) if flat else None

    @translated
    def requeue(self, job: Job, envelope: Envelope | None = None) -> bool:
        """Store what the download found; False when the job is unknown, over, or claimed since."""
        message = envelope or NO_MESSAGE
        keys = [JOB + job.task_id, OPEN + job.lane, STARTED_JOBS, message.key]
        args = [job.task_id, message.payload, job.fence, job.upload_bytes, *hashes.flat(job)]
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
        before, _ = self._end(task_id, outcome, from_states=OPEN_STATES, fence=fence)
        return before in OPEN_STATES

    @translated
    def finish_and_take(
        self, task_id: str, outcome: Outcome, take: Take
    ) -> tuple[bool, Job | None]:
        """End the job unless it is over already, and start the next one that waits."""
        before, flat = self._end(task_id, outcome, from_states=OPEN_STATES, take=take)
        return before in OPEN_STATES, hashes.job_of(hashes.paired(flat)) if flat else None

    @translated
    def revoke(self, task_id: str, outcome: Outcome, *, started: bool = False) -> str | None:
        """End the job only while it has not started, or also then; returns the state before."""
        from_states = OPEN_STATES if started else (PENDING, RETRY)
        before, _ = self._end(task_id, outcome, from_states=from_states)
        return before

    def _end(
        self,
        task_id: str,
        outcome: Outcome,
        *,
        from_states: tuple[str, ...],
        fence: int | None = None,
        take: Take = NOTHING,
    ) -> tuple[str | None, list[str] | None]:
        lives = outcome.lives_seconds or self._settings.result_ttl_seconds
        result = outcome.celery_result or NO_RESULT
        counts = [part for pair in outcome.counts.items() for part in pair]
        said: list[Any] = self._finish(
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
                lives,
                self._settings.webhook_ttl_seconds,
                " ".join(take.lanes),
                take.stage,
                take.owner,
                text_of(outcome.kept, self._settings),
                *counts,
            ],
        )
        before, taken, *_ = (*said, None, None)
        return before, taken

    @translated
    def forget(self, task_id: str, *, celery_key: str = "") -> bool:
        """Delete the document of a job that is over, and what its client told."""
        keys = [JOB + task_id, DOCUMENT + task_id, celery_key]
        return bool(self._forget(keys=keys, args=[task_id]))

    def watching(self, task_id: str) -> AbstractContextManager[RedisWatch]:
        """Give a watch on one job; enter it before the job is published."""
        return self._notices.watching(task_id)

    def following(self, task_ids: Sequence[str], hear: Hear) -> AbstractContextManager[None]:
        """Tell the end of each of these jobs, from now on."""
        return self._notices.following(task_ids, hear)


def _full(*, open_jobs: int, rate: str) -> QueueFullError:
    seconds = retry_after(open_jobs, float(rate) if rate else None)
    message = f"{open_jobs} pictures wait or are worked on already; send it again in {seconds} s"
    return QueueFullError(message, retry_after_seconds=seconds)


def _seen(document: str, *more: Any) -> Seen:
    if document:
        return Seen(document)
    record, ahead, seconds = more
    return Seen(job=hashes.job_of(hashes.paired(record)), place=_place(ahead, seconds))


def _place(ahead: int, seconds: str) -> Place | None:
    if ahead < 0:
        return None
    return Place(ahead, ceil(float(seconds) * 10) / 10 if seconds else None)
