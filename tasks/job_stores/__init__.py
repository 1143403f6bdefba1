"""Job records: what a job is, and the interface that every store of them keeps.

A record is written before the job's message is published, so an id without a record
never existed; Celery alone would call it PENDING.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tasks.envelopes import Envelope
from tasks.job_stores.kept import Ask, Kept, Told
from tasks.job_stores.records import (
    BULK,
    CLASSIFICATION,
    EXPLANATION,
    FAILURE,
    OVER,
    PENDING,
    RETRY,
    REVOKED,
    STARTED,
    SUCCESS,
    TRAINING,
    Accepted,
    CeleryResult,
    Job,
    Load,
    Outcome,
    Place,
    Seen,
    Take,
    Work,
)
from tasks.statistics import Tally

__all__ = (
    "BULK",
    "CLASSIFICATION",
    "EXPLANATION",
    "FAILURE",
    "OVER",
    "PENDING",
    "RETRY",
    "REVOKED",
    "STARTED",
    "SUCCESS",
    "TRAINING",
    "Accepted",
    "Ask",
    "CeleryResult",
    "Job",
    "JobStore",
    "Kept",
    "Load",
    "Outcome",
    "Place",
    "Seen",
    "Take",
    "Told",
    "Watch",
    "Work",
)


class Watch(Protocol):
    """Waits for the end of one job."""

    def wait(self, *, seconds: float) -> str | None:
        """Return the document once the job is over, or None after `seconds`."""


class JobStore(Protocol):
    """Keeps job records and finished documents, and tells waiters when a job is over.

    Every method raises `ServiceUnavailableError` when the store cannot be reached.
    """

    def create(
        self,
        job: Job,
        envelope: Envelope | None = None,
        *,
        digest: str = "",
        unless_open: bool = False,
    ) -> Accepted:
        """Write the record of a new job, together with its message where one is given.

        A job with a key that an earlier request had is not written: that one's is returned. With
        `unless_open` one that is there and not over stays as it is, as when two copies of a
        program's message are taken at the same moment.

        Raises:
            QueueFullError: there are too many open jobs, or bytes, or the store's memory is short.
            ReusedKeyError: the earlier request of this key had another `digest`.
        """

    def earlier(self, key: str, *, digest: str) -> str | None:
        """Return the job of an earlier request with this key, if there was one.

        Raises:
            ReusedKeyError: that request had another `digest`.
        """

    def recall(self, job: Job, ask: Ask) -> Told:
        """End a new job at once, if the answer of its `answer_key` is there; else write nothing.

        Raises:
            ReusedKeyError: the earlier request of its key had another digest.
        """

    def look_again(self, job: Job) -> Job:
        """Return a started job with what is known of its answer now.

        While another one is worked on that has the same `answer_key` it is `behind` that.
        """

    def kept_answers(self) -> tuple[int, int]:
        """Return how many answers are kept, and their bytes together."""

    def discard(self, task_id: str) -> bool:
        """Forget a job whose message could not be published, or whose record has expired.

        Returns False, and changes nothing, when another request of its key was given it as well.
        """

    def get(self, task_id: str) -> Job | None:
        """Return the record, or None when there is none."""

    def document(self, task_id: str) -> str | None:
        """Return the finished document as JSON, or None when unfinished, unknown or expired."""

    def view(self, task_id: str) -> Seen:
        """Return what is there of a job."""

    def views(self, task_ids: Sequence[str]) -> list[Seen]:
        """Return what is there of each of these jobs."""

    def claim(self, task_id: str, *, stage: str, owner: str = "") -> Job | None:
        """Mark the job STARTED by `owner` and count the attempt of this stage.

        Returns the record with `attempts` of this stage, or None when it is unknown, over, or in
        the hands of another process whose readiness has not run out. A job whose deadline passed is
        not started: it comes back as RETRY.
        """

    def requeue(self, job: Job, envelope: Envelope | None = None) -> bool:
        """Store what the download found, before the job waits in the lane of its next stage.

        Returns False, and changes nothing, when the job is unknown, over, or claimed since.
        """

    def postpone(self, job: Job, *, seconds: float) -> bool:
        """Take a claim back: the job shows RETRY and is due again in so many seconds.

        Returns False when it is over or claimed since.
        """

    def send_again(
        self, job: Job, envelope: Envelope | None = None, *, queued_for_seconds: float = 0.0
    ) -> bool:
        """Let a job whose message or worker is lost wait once more.

        Returns False when it is over, was claimed since, or waits for a shorter time: somebody
        else has done it.
        """

    def mark_retry(self, task_id: str) -> None:
        """Show RETRY until the next claim; nothing happens to a job that is over."""

    def note_progress(self, task_id: str, progress: str) -> None:
        """Keep how far a started job is, and its record for as long as a new one's."""

    def finish(self, task_id: str, outcome: Outcome, *, fence: int | None = None) -> bool:
        """End the job unless it is over already; returns whether this call ended it.

        A client that wants to be told is promised so in the same step (see `webhooks`). With a
        fence it is ended only if nobody has claimed it since.
        """

    def finish_and_take(
        self, task_id: str, outcome: Outcome, take: Take
    ) -> tuple[bool, Job | None]:
        """End a job as `finish` does, and start the next one that waits, in one step.

        The next one's message is taken from its queue: nobody acknowledges it, and if its process
        is lost the job is sent again like any that is held by nobody. A store whose broker is
        another server has none.
        """

    def revoke(self, task_id: str, outcome: Outcome, *, started: bool = False) -> str | None:
        """End the job only while it has not started, or also then; returns its state before."""

    def forget(self, task_id: str, *, celery_key: str = "") -> bool:
        """Delete the document of a job that is over, and what its client told; its id stays.

        Celery's result under a key of this store goes with it. Returns whether there was one.
        """

    def watching(self, task_id: str) -> AbstractContextManager[Watch]:
        """Give a watch on one job; enter it before the job is published."""

    def following(
        self, task_ids: Sequence[str], hear: Callable[[str, str], None]
    ) -> AbstractContextManager[None]:
        """Tell the end of each of these jobs, from now on: its id and its document.

        `hear` is called in a thread of the store, and must return at once.
        """

    def count(self, counts: Mapping[str, float]) -> None:
        """Add to the sums outside of a job's end."""

    def tally(self, tally: Tally) -> None:
        """Add what a process has added up by itself.

        The first `metrics_labels` labels of a version are counted on their own, the others as one.
        """

    def counts(self) -> dict[str, float]:
        """Return all sums by name: see `statistics`."""

    def queued_since(self, lane: str, task_ids: Sequence[str]) -> list[float]:
        """Return when those of these jobs that wait in a lane were queued, by the store's clock."""

    def overdue(self, lane: str, *, before: float, limit: int) -> list[str]:
        """Return jobs of a lane that were queued before a moment, the oldest first."""

    def late(self, *, before: float, limit: int) -> list[str]:
        """Return jobs whose deadline was before a moment by the store's clock."""

    def load(self) -> Load:
        """Return how much there is to do."""

    def work(self) -> dict[str, Work]:
        """Return what waits and what is worked on, by queue; trainings are not watched over."""

    def first_messages(self, lane: str, *, limit: int) -> list[str]:
        """Return the messages of a lane that are taken next, where the broker is this store."""

    def held(self) -> dict[str, str]:
        """Return the started jobs that are watched over, with the process that claimed each."""

    def now(self) -> float:
        """Return the store's time, in seconds since the epoch."""

    def take_turn(self, name: str, owner: str, *, seconds: float) -> bool:
        """Tell whether `owner` is the one process that does something for the next seconds."""

    def announce_ready(self, member: str, note: str) -> None:
        """Renew the readiness key of one worker process."""

    def withdraw_ready(self, member: str) -> None:
        """Remove the readiness key of one worker process."""

    def ready(self) -> dict[str, str]:
        """Return the notes of the processes whose readiness has not run out."""
