"""Job records in the memory of one process: for Celery's eager mode and for tests.

The same contract test runs on this store and on Redis.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from time import monotonic, time
from typing import Any

from tasks import lanes, statistics
from tasks.envelopes import Envelope
from tasks.errors import QueueFullError
from tasks.job_stores import (
    OVER,
    PENDING,
    RETRY,
    REVOKED,
    STARTED,
    SUCCESS,
    Accepted,
    Ask,
    Job,
    Outcome,
    Place,
    Seen,
    Take,
    Told,
)
from tasks.job_stores.kept import EARLIER
from tasks.job_stores.measuring import Drain, retry_after
from tasks.job_stores.memory_kept import MemoryKept
from tasks.job_stores.memory_keys import Earlier
from tasks.job_stores.memory_waiting import MemoryWatch
from tasks.job_stores.memory_webhooks import MemoryWebhooks
from tasks.settings import TasksSettings


class MemoryJobStore(MemoryKept):
    """Keeps everything until the process ends, but honours the documents' time to live."""

    def __init__(self, settings: TasksSettings) -> None:
        """Start empty."""
        super().__init__(settings)
        self._attempts: dict[tuple[str, str], int] = defaultdict(int)
        self._documents: dict[str, tuple[str, float]] = {}
        self._drains: dict[str, Drain] = defaultdict(Drain)
        self.webhooks = MemoryWebhooks(settings, count=self.count)

    def create(
        self,
        job: Job,
        envelope: Envelope | None = None,
        *,
        digest: str = "",
        unless_open: bool = False,
    ) -> Accepted:
        """Write the record of a new job; there is no broker here that could take its message."""
        with self._changed:
            if job.key and (earlier := self.earlier(job.key, digest=digest)):
                return Accepted(earlier)
            there = self._jobs.get(job.task_id)
            if unless_open and there is not None and there.state not in OVER:
                return Accepted(job.task_id, self._place(job))
            if job.lane:
                self._admit(job)
                self.count({statistics.of_accepted(job.version, lane=job.lane): 1})
            if job.key:
                self._keys[job.key] = Earlier(job.task_id, digest)
            self._jobs[job.task_id] = job
            self._queued[job.task_id] = time()
            return Accepted(job.task_id, self._place(job))

    def _admit(self, job: Job) -> None:
        limits, n = self._settings, len(self._sizes)
        total = sum(self._sizes.values()) + job.upload_bytes
        if n >= limits.max_open_jobs or total > limits.max_open_bytes:
            seconds = retry_after(n, self._drains[lanes.queue_of(job.lane)].rate(time()))
            message = f"{n} pictures wait or are worked on already; send it again in {seconds} s"
            raise QueueFullError(message, retry_after_seconds=seconds)
        self._sizes[job.task_id] = job.upload_bytes
        if job.deadline_seconds:
            self._deadlines[job.task_id] = time() + job.deadline_seconds

    def recall(self, job: Job, ask: Ask) -> Told:
        """End a new job at once, if the answer of its `answer_key` is there; else write nothing."""
        with self._changed:
            if job.key and (earlier := self.earlier(job.key, digest=ask.digest)):
                return Told(EARLIER, task_id=earlier)
            document, told = self._recalled(job, ask)
            if document:
                if job.key:
                    self._keys[job.key] = Earlier(job.task_id, ask.digest)
                self._jobs[job.task_id] = replace(job, answer_key="")
                self.finish(job.task_id, Outcome(SUCCESS, document, ask.counts))
            return told

    def discard(self, task_id: str) -> bool:
        """Forget a job, unless another request of its key was given it as well."""
        with self._changed:
            job = self._jobs.get(task_id)
            if job and job.key and self._keys[job.key].is_shared:
                return False
            if job and job.key:
                del self._keys[job.key]
            if task_id in self._sizes:
                self.count({statistics.WITHDRAWN: 1})
            self._ended(task_id)
            self._jobs.pop(task_id, None)
            self._documents.pop(task_id, None)
            self.webhooks.forget(task_id)
            return True

    def _ended(self, task_id: str) -> None:
        for what in (self._queued, self._sizes, self._deadlines):
            what.pop(task_id, None)

    def view(self, task_id: str) -> Seen:
        """Return what is there of a job."""
        with self._changed:
            job = self._jobs.get(task_id)
            document = self.document(task_id)
            return Seen(document, job, self._place(job) if job and not document else None)

    def views(self, task_ids: Sequence[str]) -> list[Seen]:
        """Return what is there of each of these jobs."""
        return [self.view(task_id) for task_id in task_ids]

    def _place(self, job: Job) -> Place | None:
        """Return how many are ahead; a downloaded picture waits again, behind those that do now."""
        waiting = self._waiting(job.lane)
        if job.task_id not in waiting:
            return None
        queue = lanes.queue_of(job.lane)
        ahead = sum(since < waiting[job.task_id] for since in waiting.values())
        ahead += len(self._waiting(queue)) if queue != job.lane else 0
        behind = ahead + len(self.held()) + 1
        last = len(self._waiting(lanes.CLASSIFY)) if queue != lanes.CLASSIFY else 0
        rates = {queue: behind, lanes.CLASSIFY: behind + last}
        left = [n / rate for name, n in rates.items() if (rate := self._drains[name].rate(time()))]
        return Place(ahead, max(left, default=None))

    def _drained(self, lane: str) -> None:
        queue = lanes.queue_of(lane)
        others_wait = any(map(self._waiting, (queue, lanes.lane(queue, lanes.LOW))))
        self._drains[queue].leave(time(), others_wait=others_wait)

    def get(self, task_id: str) -> Job | None:
        """Return the record, or None when there is none."""
        return self._jobs.get(task_id)

    def document(self, task_id: str) -> str | None:
        """Return the finished document as JSON, or None."""
        document, expires_at = self._documents.get(task_id, ("", 0.0))
        return document if monotonic() < expires_at else None

    def claim(self, task_id: str, *, stage: str, owner: str = "") -> Job | None:
        """Mark the job STARTED by `owner` and count the attempt of this stage."""
        with self._changed:
            job = self._jobs.get(task_id)
            if job is None or job.state in OVER or self._is_held(job, owner):
                return None
            if task_id in self._deadlines and self._deadlines[task_id] < time():
                self._jobs[task_id] = replace(job, state=RETRY, owner="", fence=job.fence + 1)
                self._queued[task_id] = time()
                return self._jobs[task_id]
            self._attempts[task_id, stage] += 1
            self._queued.pop(task_id, None)
            self._jobs[task_id] = replace(
                job,
                state=STARTED,
                attempts=self._attempts[task_id, stage],
                stage=stage,
                owner=owner,
                fence=job.fence + 1,
            )
            return self._known(self._jobs[task_id])

    def _is_held(self, job: Job, owner: str) -> bool:
        is_started = job.state == STARTED and bool(job.owner)
        return is_started and job.owner != owner and job.owner in self.ready()

    def requeue(self, job: Job, envelope: Envelope | None = None) -> bool:
        """Store what the download found; False when the job is unknown, over, or claimed since."""
        with self._changed:
            claimed = self._claimed_as(job)
            if claimed is None:
                return False
            self._drained(claimed.lane)
            self._jobs[job.task_id] = job
            self._queued[job.task_id] = time()
            if job.task_id in self._sizes:
                self._sizes[job.task_id] = job.upload_bytes
            return True

    def postpone(self, job: Job, *, seconds: float) -> bool:
        """Take a claim back: the job shows RETRY and is due again in so many seconds."""
        with self._changed:
            claimed = self._claimed_as(job)
            if claimed is None or claimed.state != STARTED:
                return False
            self._attempts[job.task_id, claimed.stage] -= 1
            self._jobs[job.task_id] = replace(
                claimed,
                state=RETRY,
                owner="",
                attempts=claimed.attempts - 1,
                postponed=claimed.postponed + 1,
            )
            self._queued[job.task_id] = time() + seconds
            return True

    def send_again(
        self, job: Job, envelope: Envelope | None = None, *, queued_for_seconds: float = 0.0
    ) -> bool:
        """Let a job whose message or worker is lost wait once more."""
        with self._changed:
            now, claimed = time(), self._claimed_as(job)
            if claimed is None:
                return False
            waits = claimed.state != STARTED
            if waits and self._queued.get(job.task_id, 0.0) > now - queued_for_seconds:
                return False
            is_said = claimed.resent_at > 0 and claimed.resent_after == claimed.fence
            if not waits or not is_said:
                lost_since = 0.0 if waits else now
                again: dict[str, Any] = {"resent_at": now, "resent_after": claimed.fence}
                claimed = replace(claimed, lost_since=lost_since, **again)
            state = claimed.state if waits else RETRY
            self._jobs[job.task_id] = replace(
                claimed, state=state, owner="", resent=claimed.resent + 1
            )
            self._queued[job.task_id] = now
            return True

    def _claimed_as(self, job: Job) -> Job | None:
        """Return the record if the job is not over and was not claimed since."""
        found = self._jobs.get(job.task_id)
        return None if found is None or found.state in OVER or found.fence != job.fence else found

    def mark_retry(self, task_id: str) -> None:
        """Show RETRY until the next claim."""
        with self._changed:
            job = self._jobs.get(task_id)
            if job is not None and job.state not in OVER:
                self._jobs[task_id] = replace(job, state=RETRY)

    def note_progress(self, task_id: str, progress: str) -> None:
        """Keep how far a started job is."""
        with self._changed:
            job = self._jobs.get(task_id)
            if job is not None and job.state == STARTED:
                self._jobs[task_id] = replace(job, progress=progress)

    def finish(self, task_id: str, outcome: Outcome, *, fence: int | None = None) -> bool:
        """End the job unless it is over already, or claimed since the claim with this fence."""
        with self._changed:
            job = self._jobs.get(task_id)
            if job is not None and fence is not None and fence != job.fence:
                return False
            before = self._end(task_id, outcome, from_states=(PENDING, STARTED, RETRY))
        return before is not None and before not in OVER

    def finish_and_take(
        self, task_id: str, outcome: Outcome, take: Take
    ) -> tuple[bool, Job | None]:
        """End the job; messages are elsewhere."""
        del take
        return self.finish(task_id, outcome), None

    def revoke(self, task_id: str, outcome: Outcome, *, started: bool = False) -> str | None:
        """End the job only while it has not started, or also then; returns the state before."""
        from_states = (PENDING, RETRY, STARTED) if started else (PENDING, RETRY)
        return self._end(task_id, outcome, from_states=from_states)

    def _end(self, task_id: str, outcome: Outcome, *, from_states: tuple[str, ...]) -> str | None:
        with self._changed:
            job = self._jobs.get(task_id)
            if job is None or job.state not in from_states:
                return None if job is None else job.state
            self._jobs[task_id] = replace(job, state=outcome.state)
            self._ended(task_id)
            if job.lane and job.state == STARTED and outcome.state != REVOKED:
                self._drained(job.lane)
            lives = outcome.lives_seconds or self._settings.result_ttl_seconds
            expires_at = monotonic() + lives
            self._documents[task_id] = (outcome.document, expires_at)
            self.count(outcome.counts)
            if outcome.kept is not None:
                self._keep(outcome.kept, task_id)
            if job.webhook_url:
                self.webhooks.promise(job, outcome.document)
            self._tell(task_id, outcome.document)
            self._changed.notify_all()
            return job.state

    def forget(self, task_id: str, *, celery_key: str = "") -> bool:
        """Delete the document of a job that is over, and what its client told."""
        with self._changed:
            job = self._jobs.get(task_id)
            if job is None or job.state not in OVER:
                return False
            self._forget_answer(job)
            told = replace(job, filename="", image_url="", webhook_url="", answer_key="")
            self._jobs[task_id] = told
            self.webhooks.forget(task_id)
            document = self.document(task_id)
            self._documents.pop(task_id, None)
            return document is not None

    def watching(self, task_id: str) -> AbstractContextManager[MemoryWatch]:
        """Give a watch on one job; enter it before the job is published."""
        return nullcontext(MemoryWatch(partial(self.document, task_id), self._changed))
