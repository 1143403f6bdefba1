"""What a model says of one picture; it loads no NumPy, so that the API may describe it."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

Verdict = Literal["confident", "uncertain", "unknown"]
CONFIDENT: Final = "confident"
UNCERTAIN: Final = "uncertain"
UNKNOWN: Final = "unknown"
IGNORE: Final = "ignore"
MOST_NEIGHBOURS: Final = 10


@dataclass(frozen=True)
class Prediction:
    """One label with its class index and its probability, from 0 to 1."""

    label: str
    class_index: Annotated[int, Field(ge=0)]
    probability: Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Neighbour:
    """A training picture that looks like another picture to the network.

    Attributes:
        number: Which of the version's references it is, from 0 on.
        label: What it shows.
        distance: 1 - cosine of both pictures' features: 0 for the same ones, 2 at most.
        name: Of its file; None where the version does not keep that.
        has_thumbnail: Whether the version keeps a small copy of it.
    """

    number: int
    label: str
    distance: float
    name: str | None = None
    has_thumbnail: bool = False


@dataclass(frozen=True)
class Doubts:
    """How far an answer can be trusted; each member is None where nobody can vouch for it.

    Attributes:
        verdict: `unknown` for a picture like nothing that the model was trained on, `uncertain`
            where its label set has several labels, else `confident`.
        label_set: The labels of which one is the right one for the share of pictures in the card.
        novelty: Share of own pictures that look at least as strange.
        neighbours: The training pictures that look most like it, nearest first; None as well where
            nobody asked for them.
    """

    verdict: Verdict | None = None
    label_set: tuple[str, ...] | None = None
    novelty: float | None = None
    neighbours: tuple[Neighbour, ...] | None = None


@dataclass(frozen=True)
class Wanted:
    """What a client wants to hear of a picture.

    Attributes:
        top_k: How many labels at most.
        min_probability: Labels below it are left out.
        ignores_unknown: Do not ask how strange the picture is.
        neighbours: How many training pictures that look like it, 10 at most.
    """

    top_k: int
    min_probability: float = 0.0
    ignores_unknown: bool = False
    neighbours: int = 0


@dataclass(frozen=True)
class Answer:
    """The labels of a picture, best first, and their doubts."""

    predictions: tuple[Prediction, ...]
    doubts: Doubts
