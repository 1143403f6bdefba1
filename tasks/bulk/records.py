"""What a bulk is, and the interface that every store of them keeps.

A bulk's packs wait in a list of its own. A few at a time are released, which makes them jobs with
messages; so a pause, a cancel and a thousand packs cost the queue nothing.
"""

from dataclasses import dataclass
from json import loads
from typing import Final, Protocol

from tasks.documents import ProblemDocument
from tasks.envelopes import Envelope
from tasks.job_stores import PENDING, Job

LISTING: Final = 0
"""The number of the pack whose work is to list what is in the body; the others count from 1."""

PREFIX: Final = "bulk-"
"""What the names of all objects begin with that belong to bulks."""

FORM, ZIP, TAR, JSON, CSV, BUCKET = "form", "zip", "tar", "json", "csv", "bucket"


@dataclass(frozen=True)
class Bulk:
    """One client's request of many pictures; times are seconds since the epoch.

    Attributes:
        model: The version that answers for all of it, as in `imagenet@1`.
        kind: How its body is read.
        place: The bucket's address below which its pictures lie, for those of a bucket.
        boundary: What is between the parts of a form.
        size_bytes: Of the body.
        body: The object that slices of pictures lie in, once that is known.
        index: The object that says what is in it, a line for each picture.
        state: PENDING while it is being listed, then STARTED until it is over.
        total: Pictures; 0 until it is listed.
        error: The problem of an input that cannot be read, as JSON.
        min_probability: Labels below it are left out.
        unknown: `ignore` where nobody wants to know how strange the pictures are.
        neighbours: How many training pictures that look like each one.
        request_id: The id of the request that it came with, and `trace` its `traceparent`.
    """

    bulk_id: str
    model: str
    top_k: int
    kind: str
    submitted_at: float
    size_bytes: int = 0
    place: str = ""
    boundary: str = ""
    body: str = ""
    index: str = ""
    state: str = PENDING
    is_paused: bool = False
    total: int = 0
    packs: int = 0
    packs_done: int = 0
    succeeded: int = 0
    failed: int = 0
    over_at: float = 0.0
    error: str = ""
    min_probability: float = 0.0
    unknown: str = ""
    neighbours: int = 0
    request_id: str = ""
    trace: str = ""

    @property
    def problem(self) -> ProblemDocument | None:
        """Why its input cannot be read, where that is so."""
        return ProblemDocument(**loads(self.error)) if self.error else None

    @property
    def body_key(self) -> str:
        """The object that its client's body is."""
        return PREFIX + self.bulk_id


@dataclass(frozen=True)
class Pack:
    """Some pictures that follow each other: where the index says which."""

    number: int
    start: int = 0
    length: int = 0
    pictures: int = 0

    @property
    def text(self) -> str:
        """It as the store keeps it."""
        return f"{self.number}:{self.start}:{self.length}:{self.pictures}"

    @classmethod
    def of(cls, text: str) -> "Pack":
        """Return the pack that `text` stands for."""
        return cls(*map(int, text.split(":")))

    def id_in(self, bulk_id: str) -> str:
        """Return the id of its job."""
        return f"{bulk_id}-{self.number}"


def bulk_of(pack_id: str) -> str:
    """Return the bulk that the job of a pack belongs to."""
    return pack_id.rpartition("-")[0]


@dataclass(frozen=True)
class Entry:
    """What a pack ended with: the object of its lines, or one problem for all of its pictures."""

    pack: Pack
    key: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Ended:
    """How many pictures of a pack have labels, and how many have a problem."""

    entry: Entry
    succeeded: int
    failed: int


@dataclass(frozen=True)
class Pace:
    """How many pictures ended in the last while."""

    pictures: int
    seconds: float

    @property
    def rate(self) -> float | None:
        """Pictures a second; None while that is not known."""
        return self.pictures / self.seconds if self.pictures and self.seconds > 0 else None


class BulkStore(Protocol):
    """Keeps bulks beside the job records; every change of one is a single step.

    Every method raises `ServiceUnavailableError` when the store cannot be reached.
    """

    def open(self, bulk: Bulk) -> None:
        """Accept a bulk, whose listing waits to be released.

        Raises:
            QueueFullError: there are too many open ones, or too many bytes.
        """

    def get(self, bulk_id: str) -> Bulk | None:
        """Return a bulk, or None when there is none."""

    def open_ids(self) -> list[str]:
        """Return the bulks that are not over."""

    def next_pack(self, bulk_id: str) -> Pack | None:
        """Return the pack that may be released now; None while enough are."""

    def release(self, pack: Pack, job: Job, envelope: Envelope | None = None) -> bool:
        """Make a job of the next pack, with its message; False when it is not the next any more."""

    def put_back(self, pack: Pack, job: Job) -> bool:
        """Let a claimed pack wait in its bulk again; False when it was claimed since."""

    def pack_of(self, pack_id: str) -> Pack | None:
        """Return the pack of a job that is not over."""

    def add_packs(self, job: Job, packs: list[Pack]) -> None:
        """Keep packs that a listing found; they count once it is over."""

    def end_listing(self, job: Job, bulk: Bulk) -> bool:
        """End a listing: `bulk` has its total, its number of packs, its body and index."""

    def end_pack(self, job: Job, ended: Ended, *, fence: int | None) -> bool:
        """End a pack and append its entry; False when it or its bulk is over, or claimed since."""

    def drop_pack(self, job: Job, *, fence: int | None = None) -> bool:
        """End the job of a pack and nothing else; False when it is over, or claimed since."""

    def end(self, bulk_id: str, state: str, *, error: str = "") -> bool:
        """End a bulk before its time; False when it is over already."""

    def pause(self, bulk_id: str, *, is_paused: bool) -> bool:
        """Let no more packs be released, or again; False when it is over."""

    def forget(self, bulk_id: str) -> None:
        """Delete all that is kept of a bulk."""

    def entries(self, bulk_id: str, *, start: int, limit: int) -> list[Entry]:
        """Return entries in the order in which packs ended."""

    def pace(self, bulk_id: str) -> Pace:
        """Return how fast pictures of a bulk end."""

    def begin_picture(self, job: Job, number: int) -> int:
        """Note that one picture of a pack is in work now; returns how often it was before."""

    def end_picture(self, job: Job, number: int, line: str) -> None:
        """Keep the line of one picture of a pack that is done picture by picture."""

    def lines(self, pack_id: str) -> dict[int, str]:
        """Return the lines that are kept of a pack, by the pictures' numbers."""
