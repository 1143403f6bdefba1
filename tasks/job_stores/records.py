"""What is written down of jobs: the record of one, how it ended, where it waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from model_store.predictions import IGNORE, Wanted
from tasks import lanes
from tasks.job_stores.kept import Kept

PENDING: Final = "PENDING"
STARTED: Final = "STARTED"
RETRY: Final = "RETRY"
SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
REVOKED: Final = "REVOKED"
OVER = frozenset({SUCCESS, FAILURE, REVOKED})
"""States that never change again."""

CLASSIFICATION, TRAINING, BULK = "classification", "training", "bulk"
EXPLANATION = "explanation"


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
        explain: `asked` where its client wants an explanation, `kept` where it may ask for one;
            its picture is then not deleted with its end.
        explains: Of an explanation: the job of the picture, and `label`, empty for its best one.
        before: The job with whose end this one was started; its picture may not be deleted yet.
        answer_key: What its answer depends on, where that may be one that is kept; or nothing.
        answer: Of a job that was just started: the parts of that answer, as JSON, if it is there.
        behind: Of such a job: another one with the same key, which is worked on.
        min_probability: Labels below it are left out.
        unknown: `ignore` where its client does not want to know how strange the picture is.
        neighbours: How many training pictures that look like it its client wants.
        request_id: The id of the request that it came with, and `trace` the `traceparent` of what
            is done for it.
        resent_at: When its message was last sent again, by the store's clock; 0 for never.
        resent_after: The fence that it had then.
        lost_since: When the process began with it that was lost then; 0 for none.
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
    explain: str = ""
    explains: str = ""
    label: str = ""
    before: str = ""
    answer_key: str = ""
    answer: str = ""
    behind: str = ""
    min_probability: float = 0.0
    unknown: str = ""
    neighbours: int = 0
    request_id: str = ""
    trace: str = ""
    resent_at: float = 0.0
    resent_after: int = 0
    lost_since: float = 0.0

    @property
    def wanted(self) -> Wanted:
        """What its client wants to hear."""
        ignores = self.unknown == IGNORE
        return Wanted(self.top_k, self.min_probability, ignores, self.neighbours)

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
    The document lives for `lives_seconds`, or as long as the store's settings say. What is `kept`
    is given again to whoever sends the same picture.
    """

    state: str
    document: str
    counts: Mapping[str, int]
    celery_result: CeleryResult | None = None
    lives_seconds: int | None = None
    kept: Kept | None = None


@dataclass(frozen=True)
class Take:
    """Which job is started with the end of another: the next new one of the first of these lanes.

    Attributes:
        lanes: Where it waits, the first one first.
        stage: What it is started for, and `owner` the process that does.
    """

    lanes: tuple[str, ...]
    stage: str
    owner: str


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


@dataclass(frozen=True)
class Work:
    """What there is to do in one queue: pictures, or packs of a bulk, or explanations.

    Attributes:
        waiting: How many wait, by priority.
        running: How many a worker has begun.
        oldest_seconds: For how long the oldest one waits since it was queued; 0 when none does.
    """

    waiting: Mapping[str, int]
    running: int = 0
    oldest_seconds: float = 0.0

    @property
    def open_jobs(self) -> int:
        """How many wait or are worked on: what workers are needed for."""
        return sum(self.waiting.values()) + self.running
