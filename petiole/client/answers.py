"""What the service says of a task, as types; members that a newer service adds are ignored."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Prediction:
    """One label; `probability` is from 0 to 1, `class_index` the label's place in the model."""

    label: str
    class_index: int
    probability: float


@dataclass(frozen=True)
class Timings:
    """Milliseconds of each stage; `total` is from acceptance to answer."""

    queued: float
    download: float
    decode: float
    predict: float
    total: float


@dataclass(frozen=True)
class Progress:
    """How far a training is: `done` of `total` in its phase, both 0 where nothing is counted.

    `seconds_left` are those of the phase, where its pace is known.
    """

    phase: str
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True)
class Problem:
    """RFC 9457; `type` points into the service's `/problems`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None

    @property
    def slug(self) -> str:
        """The stable name of the problem, such as `not-an-image`; empty where it has none."""
        return self.type.partition("#")[2]


@dataclass(frozen=True)
class AcceptedTask:
    """A task that is not over.

    `ahead` are the pictures that are taken before it and `estimate_seconds` the time until it is
    over, where the service knows that; `submitted_at` is RFC 3339.
    """

    task_id: str
    state: Literal["PENDING", "STARTED", "RETRY"]
    result_url: str
    progress: Progress | None = None
    submitted_at: str | None = None
    ahead: int | None = None
    estimate_seconds: float | None = None


@dataclass(frozen=True)
class Neighbour:
    """A training picture that looks like the one that was sent.

    `number` is its place among the version's references, `distance` from 0 (the same to the
    network) to 2; `name` and the address `thumbnail_url` are there where the version keeps them.
    """

    number: int
    label: str
    distance: float
    name: str | None = None
    thumbnail_url: str | None = None


@dataclass(frozen=True)
class ClassifiedTask:
    """A picture with its labels, best first, and the version that gave them.

    `warnings` say what may make the answer less than it could be. As far as the version's card
    vouches for them: `verdict`, the `label_set` that holds the right label for 90 % of pictures,
    and `novelty`, the share of the model's own pictures that look at least as strange. `neighbours`
    are there where they were asked for and the version can tell.
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
    verdict: Literal["confident", "uncertain", "unknown"] | None = None
    label_set: tuple[str, ...] | None = None
    novelty: float | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    explanation_url: str | None = None

    @property
    def best(self) -> Prediction:
        """The most probable label.

        Raises:
            IndexError: there is none, as no label had the probability that was asked for.
        """
        return self.predictions[0]


@dataclass(frozen=True)
class ExplainedTask:
    """Why a picture was given a label; `explains` says if the map is to be believed, `reason` why.

    `deletion` is how slowly the label goes when the picture is taken away in the order of the map,
    `random_deletion` the same in random orders; less is sooner.
    """

    task_id: str
    state: Literal["SUCCESS"]
    picture: str
    model: str
    model_version: int
    runtime: str
    filename: str
    label: str
    probability: float
    method: str
    explains: bool
    reason: str
    deletion: float
    random_deletion: float
    image_url: str
    array_url: str


@dataclass(frozen=True)
class TrainedTask:
    """A training that is over: its version, if one was published, and what that is worth."""

    task_id: str
    state: Literal["SUCCESS"]
    model: str
    filename: str
    report: str
    top1: float
    test_pictures: int
    model_version: int | None = None


@dataclass(frozen=True)
class FailedTask:
    """A task that failed, and why."""

    task_id: str
    state: Literal["FAILURE"]
    model: str
    filename: str
    error: Problem


@dataclass(frozen=True)
class RevokedTask:
    """A task that was revoked: by its client, or for the `reason` that is there."""

    task_id: str
    state: Literal["REVOKED"]
    model: str
    filename: str
    reason: str | None = None


Task = AcceptedTask | ClassifiedTask | ExplainedTask | TrainedTask | FailedTask | RevokedTask

_NESTED: Mapping[str, type[Any]] = {"timings_ms": Timings, "progress": Progress, "error": Problem}


def task_of(document: Mapping[str, Any]) -> Task:
    """Return what a document with a `state` says.

    Raises:
        KeyError, TypeError: it is no such document.
    """
    members = dict(document)
    for name, kind in _NESTED.items():
        if isinstance(members.get(name), dict):
            members[name] = _made(kind, members[name])
    if "predictions" in members:
        members["predictions"] = tuple(_made(Prediction, each) for each in members["predictions"])
    if members.get("neighbours") is not None:
        members["neighbours"] = tuple(_made(Neighbour, each) for each in members["neighbours"])
    for name in ("warnings", "label_set"):
        if members.get(name) is not None:
            members[name] = tuple(members[name])
    task: Task = _made(_kind_of(members), members)
    return task


def problem_of(document: Mapping[str, Any]) -> Problem:
    """Return what a problem document says.

    Raises:
        KeyError, TypeError: it is none.
    """
    problem: Problem = _made(Problem, document)
    return problem


def _kind_of(members: Mapping[str, Any]) -> type[Any]:
    match members["state"]:
        case "SUCCESS":
            if "explains" in members:
                return ExplainedTask
            return ClassifiedTask if "predictions" in members else TrainedTask
        case "FAILURE":
            return FailedTask
        case "REVOKED":
            return RevokedTask
        case _:
            return AcceptedTask


def _made(kind: type[Any], members: Mapping[str, Any]) -> Any:
    return kind(
        **{field.name: members[field.name] for field in fields(kind) if field.name in members}
    )
