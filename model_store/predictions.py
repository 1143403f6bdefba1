"""What a model says of one picture; it loads no NumPy, so that the API may describe it."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

Verdict = Literal["confident", "uncertain", "unknown"]
CONFIDENT: Final = "confident"
UNCERTAIN: Final = "uncertain"
UNKNOWN: Final = "unknown"
IGNORE: Final = "ignore"


@dataclass(frozen=True)
class Prediction:
    """One label with its class index and its probability, from 0 to 1."""

    label: str
    class_index: Annotated[int, Field(ge=0)]
    probability: Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Doubts:
    """How far an answer can be trusted; each member is None where nobody can vouch for it.

    Attributes:
        verdict: `unknown` for a picture like nothing that the model was trained on, `uncertain`
            where its label set has several labels, else `confident`.
        label_set: The labels of which one is the right one for the share of pictures in the card.
        novelty: Share of own pictures that look at least as strange.
    """

    verdict: Verdict | None = None
    label_set: tuple[str, ...] | None = None
    novelty: float | None = None


@dataclass(frozen=True)
class Wanted:
    """What a client wants to hear of a picture.

    Attributes:
        top_k: How many labels at most.
        min_probability: Labels below it are left out.
        ignores_unknown: Do not ask how strange the picture is.
    """

    top_k: int
    min_probability: float = 0.0
    ignores_unknown: bool = False


@dataclass(frozen=True)
class Answer:
    """The labels of a picture, best first, and their doubts."""

    predictions: tuple[Prediction, ...]
    doubts: Doubts
