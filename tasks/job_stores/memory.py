"""Job records in the memory of one process: for Celery's eager mode and for tests.

The same contract test runs on this store and on Redis.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import Condition
from time import monotonic, time

from tasks.envelopes import Envelope
from tasks.job_stores import OVER, PENDING, RETRY, STARTED, Job, Outcome
from tasks.settings import TasksSettings


class MemoryJobStore:
    """Keeps everything until the process ends, but honours the documents' time to live."""

    def __init__(self, settings: TasksSettings) -> None:
        """Start empty."""
        self._settings = settings
        self._jobs: dict[str, Job] = {}
        self._attempts: dict[tuple[str, str], int] = defaultdict(int)
        self._documents: dict[str, tuple[str, float]] = {}
        self._counts: dict[str, float] = defaultdict(float)
        self._ready: dict[str, tuple[str, float]] = {}
        self._queued: dict[str, float] = {}
        self._turns: dict[str, tuple[str, float]] = {}
        self._changed = Condition()  # its lock may be taken again by the same thread

    def create(self, job: Job, envelope: Envelope | None = None) -> None:
        """Write the record of a new job; there is no broker here that could take its message."""
        with self._changed:
            self._jobs[job.task_id] = job
            self._queued[job.task_id] = time()

    def discard(self, task_id: str) -> None:
        """Forget a job whose message could not be published."""
        with self._changed:
            self._jobs.pop(task_id, None)
            self._queued.pop(task_id, None)

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
            return self._jobs[task_id]

    def _is_held(self, job: Job, owner: str) -> bool:
        is_started = job.state == STARTED and bool(job.owner)
        return is_started and job.owner != owner and job.owner in self.ready()

    def requeue(self, job: Job, envelope: Envelope | None = None) -> bool:
        """Store what the download found; False when the job is unknown, over, or claimed since."""
        with self._changed:
            if self._claimed_as(job) is None:
                return False
            self._jobs[job.task_id] = job
            self._queued[job.task_id] = time()
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
            state = claimed.state if waits else RETRY
            again = replace(claimed, state=state, owner="", resent=claimed.resent + 1)
            self._jobs[job.task_id] = again
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
            self._queued.pop(task_id, None)
            lives = outcome.lives_seconds or self._settings.result_ttl_seconds
            expires_at = monotonic() + lives
            self._documents[task_id] = (outcome.document, expires_at)
            self.count(outcome.counts)
            self._changed.notify_all()
            return job.state

    def watching(self, task_id: str) -> AbstractContextManager["MemoryWatch"]:
        """Give a watch on one job; enter it before the job is published."""
        return nullcontext(MemoryWatch(self, self._changed, task_id))

    def count(self, counts: Mapping[str, float]) -> None:
        """Add to the sums outside of a job's end."""
        with self._changed:
            for name, amount in counts.items():
                self._counts[name] += amount

    def counts(self) -> dict[str, float]:
        """Return the sums of all `Outcome.counts`."""
        return dict(self._counts)

    def queued_since(self, lane: str, task_ids: Sequence[str]) -> list[float]:
        """Return when those of these jobs that wait in a lane were queued."""
        waiting = self._waiting(lane)
        return [waiting[task_id] for task_id in task_ids if task_id in waiting]

    def overdue(self, lane: str, *, before: float, limit: int) -> list[str]:
        """Return jobs of a lane that were queued before a moment, the oldest first."""
        waiting = sorted((since, task_id) for task_id, since in self._waiting(lane).items())
        return [task_id for since, task_id in waiting if since <= before][:limit]

    def _waiting(self, lane: str) -> dict[str, float]:
        queued = self._queued.items()
        return {t: since for t, since in queued if lane and self._jobs[t].lane == lane}

    def first_messages(self, lane: str, *, limit: int) -> list[str]:
        """Return nothing: there is no broker here."""
        return []

    def held(self) -> dict[str, str]:
        """Return the started jobs that are watched over, with the process that claimed each."""
        jobs = list(self._jobs.values())
        return {job.task_id: job.owner for job in jobs if job.lane and job.state == STARTED}

    def now(self) -> float:
        """Return this process' time, in seconds since the epoch."""
        return time()

    def take_turn(self, name: str, owner: str, *, seconds: float) -> bool:
        """Tell whether `owner` is the one process that does something for the next seconds."""
        with self._changed:
            holder, until = self._turns.get(name, (owner, 0.0))
            if holder != owner and monotonic() < until:
                return False
            self._turns[name] = owner, monotonic() + seconds
            return True

    def announce_ready(self, member: str, note: str) -> None:
        """Renew the readiness key of one worker process."""
        self._ready[member] = (note, monotonic() + self._settings.ready_ttl_seconds)

    def withdraw_ready(self, member: str) -> None:
        """Remove the readiness key of one worker process."""
        self._ready.pop(member, None)

    def ready(self) -> dict[str, str]:
        """Return the notes of the processes whose readiness has not run out."""
        alive = ((m, note) for m, (note, until) in self._ready.items() if monotonic() < until)
        return dict(alive)


class MemoryWatch:
    """One waiter in the same process."""

    def __init__(self, store: MemoryJobStore, changed: Condition, task_id: str) -> None:
        """Watch one job of `store`, which notifies `changed`."""
        self._store = store
        self._changed = changed
        self._task_id = task_id

    def wait(self, *, seconds: float) -> str | None:
        """Return the document once the job is over, or None after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._store.document(self._task_id), timeout=seconds)
        return self._store.document(self._task_id)
