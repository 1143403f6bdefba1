"""What a client is told of a bulk, and of each picture in it, as types."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from model_store.predictions import Prediction, Verdict
from tasks.documents import Moment, Neighbour, Novelty, ProblemDocument

BulkState = Literal["PENDING", "STARTED", "PAUSED", "SUCCESS", "FAILURE", "REVOKED"]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class BulkStatus:
    """A bulk: PENDING while it is listed, SUCCESS once every picture has its line.

    `total` is there once it is listed; `done` are the pictures with a line, of which `failed` have
    a problem. `pictures_per_second` is that of the last minute. `error` says why the input as a
    whole could not be read.
    """

    bulk_id: str
    state: BulkState
    model: str
    bulk_url: str
    results_url: str
    submitted_at: Moment
    done: Count
    failed: Count
    total: Count | None = None
    pictures_per_second: Annotated[float, Field(ge=0)] | None = None
    seconds_left: Annotated[float, Field(ge=0)] | None = None
    error: ProblemDocument | None = None


@dataclass(frozen=True)
class LabelledPicture:
    """One picture of a bulk with its labels, best first; `number` is its place in the input."""

    number: Count
    name: str
    state: Literal["SUCCESS"]
    model: str
    model_version: int
    runtime: str
    predictions: tuple[Prediction, ...]
    warnings: tuple[str, ...] | None = None
    verdict: Verdict | None = None
    label_set: tuple[str, ...] | None = None
    novelty: Novelty | None = None
    neighbours: tuple[Neighbour, ...] | None = None


@dataclass(frozen=True)
class RefusedPicture:
    """One picture of a bulk that has no labels, and why."""

    number: Count
    name: str
    state: Literal["FAILURE"]
    error: ProblemDocument


def bulk_url(bulk_id: str) -> str:
    """Return the address of a bulk, below that of the API."""
    return f"/bulk/{bulk_id}"


def results_url(bulk_id: str) -> str:
    """Return the address of its results."""
    return f"{bulk_url(bulk_id)}/results"
