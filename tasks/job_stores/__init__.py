"""Job records: what a job is, and the interface that every store of them keeps.

A record is written before the job's message is published, so an id without a record
never existed; Celery alone would call it PENDING.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from tasks import lanes
from tasks.envelopes import Envelope

PENDING: Final = "PENDING"
STARTED: Final = "STARTED"
RETRY: Final = "RETRY"
SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
REVOKED: Final = "REVOKED"
OVER = frozenset({SUCCESS, FAILURE, REVOKED})
"""States that never change again."""

CLASSIFICATION, TRAINING, BULK = "classification", "training", "bulk"


@dataclass(frozen=True)
class Job:
    """One client request; `task_id` is also the id of its Celery task.

    Times are seconds since the epoch; durations are milliseconds. `version` is what the reference
    `model` meant at acceptance. A training has the folder of its pictures as `filename`, and how
    far it is as `progress`, a JSON object.

    Attributes:
        lane: The queue in which its message waits or waited; empty for what is not watched over.
        stage: What claimed it last, and `owner` the process that did.
        fence: Grows with each claim; what an earlier claimer says of its failure counts no more.
        attempts: Starts of this stage that nobody has explained.
        postponed: How often it was put off for what was not its fault.
        resent: How often its message was sent again.
        priority: `low` never delays what is `normal`.
        upload_bytes: Size of its picture; 0 while that is not known.
        deadline_seconds: How long after its acceptance somebody waits for it; 0 is for ever.
        key: The hash of what its client called its request, or nothing.
        webhook_url: Who is told of its end, or nothing.
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
    lane: str = ""
    stage: str = ""
    owner: str = ""
    fence: int = 0
    postponed: int = 0
    resent: int = 0
    priority: str = lanes.NORMAL
    upload_bytes: int = 0
    deadline_seconds: float = 0.0
    key: str = ""
    webhook_url: str = ""

    def queued_ms_at(self, now: float) -> float:
        """Return the time in queues so far; never negative, hosts' clocks may differ."""
        return self.queued_ms + max(0.0, now - self.queued_since) * 1000.0


@dataclass(frozen=True)
class CeleryResult:
    """What `AsyncResult` reads: its key and its JSON; it is kept as long as the document."""

    key: str
    value: str


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


@dataclass(frozen=True)
class Place:
    """Where a waiting job is: how many are taken before it, and the seconds until it is over.

    The seconds are None while nobody knows how fast jobs leave.
    """

    ahead: int
    seconds: float | None = None


@dataclass(frozen=True)
class Accepted:
    """The job that a client has now: the new one, or the one of an earlier request of the same key.

    A new job that waits in a lane has a `place`.
    """

    task_id: str
    place: Place | None = None


@dataclass(frozen=True)
class Seen:
    """What is there of a job at one moment: its document once it is over, else its record."""

    document: str | None = None
    job: Job | None = None
    place: Place | None = None


@dataclass(frozen=True)
class Load:
    """How much there is to do: the jobs that wait in each lane, all that are open, their bytes."""

    waiting: Mapping[str, int]
    open_jobs: int
    open_bytes: int


class Watch(Protocol):
    """Waits for the end of one job."""

    def wait(self, *, seconds: float) -> str | None:
        """Return the document once the job is over, or None after `seconds`."""


class JobStore(Protocol):
    """Keeps job records and finished documents, and tells waiters when a job is over.

    Every method raises `ServiceUnavailableError` when the store cannot be reached.
    """

    def create(self, job: Job, envelope: Envelope | None = None, *, digest: str = "") -> Accepted:
        """Write the record of a new job, together with its message where one is given.

        A job with a key that an earlier request had is not written: that one's is returned.

        Raises:
            QueueFullError: there are too many open jobs, or bytes, or the store's memory is short.
            ReusedKeyError: the earlier request of this key had another `digest`.
        """

    def earlier(self, key: str, *, digest: str) -> str | None:
        """Return the job of an earlier request with this key, if there was one.

        Raises:
            ReusedKeyError: that request had another `digest`.
        """

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

    def counts(self) -> dict[str, float]:
        """Return the sums of all `Outcome.counts`."""

    def queued_since(self, lane: str, task_ids: Sequence[str]) -> list[float]:
        """Return when those of these jobs that wait in a lane were queued, by the store's clock."""

    def overdue(self, lane: str, *, before: float, limit: int) -> list[str]:
        """Return jobs of a lane that were queued before a moment, the oldest first."""

    def late(self, *, before: float, limit: int) -> list[str]:
        """Return jobs whose deadline was before a moment by the store's clock."""

    def load(self) -> Load:
        """Return how much there is to do."""

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
