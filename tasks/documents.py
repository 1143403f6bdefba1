"""What clients are told of a task, as types: sent by the API, described in its specification.

A finished one is kept as JSON beside the job's record, and is also the result of its Celery task.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from urllib.parse import urlencode

from pydantic import Field, TypeAdapter

from model_store import predictions
from model_store.predictions import Doubts, Prediction, Verdict

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OpenState = Literal["PENDING", "STARTED", "RETRY"]
RevocationReason = Literal["deadline"]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Milliseconds = Annotated[float, Field(ge=0)]
Novelty = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Timings:
    """Milliseconds of each stage; `total` is from acceptance to answer."""

    queued: Milliseconds
    download: Milliseconds
    decode: Milliseconds
    predict: Milliseconds
    total: Milliseconds


@dataclass(frozen=True)
class ProblemDocument:
    """RFC 9457; `type` points into `/problems`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None


@dataclass(frozen=True)
class Progress:
    """How far a training is: `done` of `total` in its phase, both 0 where nothing is counted.

    `seconds_left` are those of the phase, where its pace is known.
    """

    phase: str
    done: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]
    seconds_left: Annotated[float, Field(ge=0)] | None = None


@dataclass(frozen=True)
class AcceptedTask:
    """A task that is not over.

    `ahead` are the pictures that are taken before one that waits, and `estimate_seconds` the time
    until it is over, where that is known: if no picture of a higher priority comes.
    """

    task_id: str
    state: OpenState
    result_url: str
    progress: Progress | None = None
    submitted_at: Moment | None = None
    ahead: Annotated[int, Field(ge=0)] | None = None
    estimate_seconds: Annotated[float, Field(ge=0)] | None = None


@dataclass(frozen=True)
class Neighbour:
    """A training picture that looks like the one that was sent, as the network sees both.

    `number` is its place among the version's references, `distance` 1 - cosine of the features, 0
    for the same ones. `name` and `thumbnail_url` are there where the version keeps them.
    """

    number: Annotated[int, Field(ge=0)]
    label: str
    distance: Annotated[float, Field(ge=0, le=2)]
    name: str | None = None
    thumbnail_url: str | None = None


@dataclass(frozen=True)
class ClassifiedTask:
    """A picture with its labels, best first, and the version that gave them.

    `warnings` say what may make the answer less than it could be, such as a file that is cut off.
    `verdict`, `label_set` and `novelty` are there as far as the version's card vouches for them,
    `neighbours` where they are asked for and the version can tell.
    """

    task_id: str
    state: Literal["SUCCESS"]
    model: str
    model_version: int
    runtime: str
    filename: str
    predictions: tuple[Prediction, ...]
    timings_ms: Timings
    warnings: tuple[str, ...] | None = None
    verdict: Verdict | None = None
    label_set: tuple[str, ...] | None = None
    novelty: Novelty | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    explanation_url: str | None = None

    @property
    def ref(self) -> str:
        """The version that gave them, as `name@version`."""
        return f"{self.model}@{self.model_version}"


@dataclass(frozen=True)
class ExplainedTask:
    """Why a picture was given a label: its heat map, and whether that can be believed.

    `deletion` is the area under the curve of the label's probability while parts of the picture are
    taken away in the order of the map, `random_deletion` the mean of the same by random orders, and
    `explains` whether the first is less than each of those, by so much that it means something.
    """

    task_id: str
    state: Literal["SUCCESS"]
    picture: str
    model: str
    model_version: int
    runtime: str
    filename: str
    label: str
    probability: Annotated[float, Field(ge=0, le=1)]
    method: Literal["class activation", "occlusion"]
    explains: bool
    reason: str
    deletion: Annotated[float, Field(ge=0, le=1)]
    random_deletion: Annotated[float, Field(ge=0, le=1)]
    image_url: str
    array_url: str


@dataclass(frozen=True)
class TrainedTask:
    """A training that is over: its version, if one was published, and what that is worth.

    `filename` is the folder of its pictures, `report` a place on its worker's machine, `top1` the
    share of `test_pictures` whose best label is right.
    """

    task_id: str
    state: Literal["SUCCESS"]
    model: str
    filename: str
    report: str
    top1: Annotated[float, Field(ge=0, le=1)]
    test_pictures: Annotated[int, Field(ge=0)]
    model_version: int | None = None


@dataclass(frozen=True)
class FailedTask:
    """A task that failed, and why."""

    task_id: str
    state: Literal["FAILURE"]
    model: str
    filename: str
    error: ProblemDocument


@dataclass(frozen=True)
class RevokedTask:
    """A task that was revoked: by its client, or for the `reason` that is there."""

    task_id: str
    state: Literal["REVOKED"]
    model: str
    filename: str
    reason: RevocationReason | None = None


EVENT_TYPES: Mapping[str, str] = {
    "SUCCESS": "task.succeeded",
    "FAILURE": "task.failed",
    "REVOKED": "task.revoked",
}
"""What a webhook calls the end of a task, by its state."""

FinishedTask = ClassifiedTask | ExplainedTask | TrainedTask | FailedTask | RevokedTask

_finished: TypeAdapter[FinishedTask] = TypeAdapter(FinishedTask)


def result_url(task_id: str) -> str:
    """Return the address of a task's result, below that of the API."""
    return f"/result/{task_id}"


def explanation_url(task_id: str) -> str:
    """Return the address of the explanations of a task's picture, below that of the API."""
    return f"{result_url(task_id)}/explanation"


def members_of(doubts: Doubts, model: str, version: int) -> dict[str, Any]:
    """Return the doubts of an answer as members of a document: pictures have addresses there."""
    if doubts.neighbours is None:
        return vars(doubts)
    place = f"/models/{model}/{version}/references"
    return vars(doubts) | {"neighbours": tuple(_near(each, place) for each in doubts.neighbours)}


def _near(found: predictions.Neighbour, place: str) -> Neighbour:
    url = f"{place}/{found.number}.jpg" if found.has_thumbnail else None
    return Neighbour(found.number, found.label, found.distance, found.name, url)


def of_label(address: str, label: str) -> str:
    """Return the address of what there is for one label; the best one needs no saying."""
    return f"{address}?{urlencode({'label': label})}" if label else address


def as_dict(document: "DataclassInstance") -> dict[str, Any]:
    """Return the members of a document; what is None is not there."""
    return {name: _plain(each) for name, each in vars(document).items() if each is not None}


def to_json(document: "DataclassInstance") -> str:
    """Return a document as JSON."""
    return json.dumps(as_dict(document))


def finished(text: str) -> FinishedTask:
    """Return the finished document that `to_json` wrote.

    Raises:
        pydantic.ValidationError: the text is no such document.
    """
    return _finished.validate_json(text)


def _plain(value: Any) -> Any:
    """Return what JSON has for a member; `dataclasses.asdict` copies it, at five times the cost."""
    if is_dataclass(value):
        return as_dict(cast("DataclassInstance", value))
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value
