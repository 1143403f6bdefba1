"""Job records in the memory of one process: for Celery's eager mode and for tests.

The same contract test runs on this store and on Redis.
"""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import Condition
from time import monotonic

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
        self._changed = Condition()  # its lock may be taken again by the same thread

    def create(self, job: Job) -> None:
        """Write the record of a new job."""
        with self._changed:
            self._jobs[job.task_id] = job

    def discard(self, task_id: str) -> None:
        """Forget a job whose message could not be published."""
        with self._changed:
            self._jobs.pop(task_id, None)

    def get(self, task_id: str) -> Job | None:
        """Return the record, or None when there is none."""
        return self._jobs.get(task_id)

    def document(self, task_id: str) -> str | None:
        """Return the finished document as JSON, or None."""
        document, expires_at = self._documents.get(task_id, ("", 0.0))
        return document if monotonic() < expires_at else None

    def claim(self, task_id: str, *, stage: str) -> Job | None:
        """Mark the job STARTED and count the attempt of this stage."""
        with self._changed:
            job = self._jobs.get(task_id)
            if job is None or job.state in OVER:
                return None
            self._attempts[task_id, stage] += 1
            claimed = replace(job, state=STARTED, attempts=self._attempts[task_id, stage])
            self._jobs[task_id] = claimed
            return claimed

    def requeue(self, job: Job) -> bool:
        """Store what the download found; False when the job is unknown or over."""
        with self._changed:
            before = self._jobs.get(job.task_id)
            if before is None or before.state in OVER:
                return False
            self._jobs[job.task_id] = job
            return True

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

    def finish(self, task_id: str, outcome: Outcome) -> bool:
        """End the job unless it is over already."""
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
