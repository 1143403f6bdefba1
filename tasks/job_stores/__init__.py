"""Job records: what a job is, and the interface that every store of them keeps.

A record is written before the job's message is published, so an id without a record
never existed; Celery alone would call it PENDING.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

PENDING: Final = "PENDING"
STARTED: Final = "STARTED"
RETRY: Final = "RETRY"
SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
REVOKED: Final = "REVOKED"
OVER = frozenset({SUCCESS, FAILURE, REVOKED})
"""States that never change again."""

CLASSIFICATION, TRAINING = "classification", "training"


@dataclass(frozen=True)
class Job:
    """One client request; `task_id` is also the id of its Celery task.

    Times are seconds since the epoch; durations are milliseconds. `version` is what the reference
    `model` meant at acceptance. A training has the folder of its pictures as `filename`, and how
    far it is as `progress`, a JSON object.
    """

    task_id: str
    model: str
    top_k: int
    filename: str
    accepted_at: float
    queued_since: float
    image_url: str = ""
    state: str = PENDING
    attempts: int = 0
    queued_ms: float = 0.0
    download_ms: float = 0.0
    kind: str = CLASSIFICATION
    progress: str = ""
    version: str = ""

    def queued_ms_at(self, now: float) -> float:
        """Return the time in queues so far; never negative, hosts' clocks may differ."""
        return self.queued_ms + max(0.0, now - self.queued_since) * 1000.0


@dataclass(frozen=True)
class CeleryResult:
    """What `AsyncResult` reads: its key, its JSON, and how long it is kept."""

    key: str
    value: str
    ttl_seconds: int


@dataclass(frozen=True)
class Outcome:
    """How a job ended: the terminal state, the document as JSON, and what to count.

    `celery_result` is written in the same step, for a store that is also the result backend.
    The document lives for `lives_seconds`, or as long as the store's settings say.
    """

    state: str
    document: str
    counts: Mapping[str, float]
    celery_result: CeleryResult | None = None
    lives_seconds: int | None = None


class Watch(Protocol):
    """Waits for the end of one job."""

    def wait(self, *, seconds: float) -> str | None:
        """Return the document once the job is over, or None after `seconds`."""


class JobStore(Protocol):
    """Keeps job records and finished documents, and tells waiters when a job is over.

    Every method raises `ServiceUnavailableError` when the store cannot be reached.
    """

    def create(self, job: Job) -> None:
        """Write the record of a new job."""

    def discard(self, task_id: str) -> None:
        """Forget a job whose message could not be published."""

    def get(self, task_id: str) -> Job | None:
        """Return the record, or None when there is none."""

    def document(self, task_id: str) -> str | None:
        """Return the finished document as JSON, or None when unfinished, unknown or expired."""

    def claim(self, task_id: str, *, stage: str) -> Job | None:
        """Mark the job STARTED and count the attempt of this stage.

        Returns the record with `attempts` of this stage, or None when it is unknown or over.
        """

    def requeue(self, job: Job) -> bool:
        """Store what the download found, before the job waits for its next stage.

        Returns False, and changes nothing, when the job is unknown or over.
        """

    def mark_retry(self, task_id: str) -> None:
        """Show RETRY until the next claim; nothing happens to a job that is over."""

    def note_progress(self, task_id: str, progress: str) -> None:
        """Keep how far a started job is, and its record for as long as a new one's."""

    def finish(self, task_id: str, outcome: Outcome) -> bool:
        """End the job unless it is over already; returns whether this call ended it."""

    def revoke(self, task_id: str, outcome: Outcome, *, started: bool = False) -> str | None:
        """End the job only while it has not started, or also then; returns its state before."""

    def watching(self, task_id: str) -> AbstractContextManager[Watch]:
        """Give a watch on one job; enter it before the job is published."""

    def count(self, counts: Mapping[str, float]) -> None:
        """Add to the sums outside of a job's end."""

    def counts(self) -> dict[str, float]:
        """Return the sums of all `Outcome.counts`."""

    def announce_ready(self, member: str, note: str) -> None:
        """Renew the readiness key of one worker process."""

    def withdraw_ready(self, member: str) -> None:
        """Remove the readiness key of one worker process."""

    def ready(self) -> dict[str, str]:
        """Return the notes of the processes whose readiness has not run out."""
