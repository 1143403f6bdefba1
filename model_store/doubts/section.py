"""What a card says of how far answers can be trusted; it loads no NumPy, as the API reads cards.

Whatever was not measured is None. Shares are from 0 to 1, their intervals have 95 %.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

IN_NETWORK, AFTER_NETWORK = "in the network", "after the network"
PHOTOGRAPHS, DRAWN = "photographs", "drawn"
FILES = ("trust/references.npy", "trust/own.npy")
"""The reference pictures' features, and how alike the own pictures are to them."""


@dataclass(frozen=True)
class Share:
    """A share of some pictures, with its interval."""

    share: float
    low: float
    high: float
    pictures: int


@dataclass(frozen=True)
class Calibration:
    """Probabilities that mean what they say, by one temperature.

    Attributes:
        temperature: What logits are divided by before the softmax.
        applied: Whether the network does it, or what loads it.
        fitted_on: Number of validation pictures.
        error_before: Expected calibration error on test pictures, without the temperature.
        error_after: With it.
        test_pictures: Number of those.
    """

    temperature: float
    applied: Literal["in the network", "after the network"]
    fitted_on: int
    error_before: float
    error_after: float
    test_pictures: int


@dataclass(frozen=True)
class LabelSets:
    """Sets of labels that hold the true one as often as was wanted.

    Attributes:
        wanted: The share of pictures whose true label is to be in its set.
        threshold: A label is in the set from this probability on.
        fitted_on: Number of validation pictures.
        covered: On test pictures, the share that is.
        mean_labels: On test pictures, the mean size of a set.
    """

    wanted: float
    threshold: float
    fitted_on: int
    covered: Share
    mean_labels: float


@dataclass(frozen=True)
class Foreign:
    """Pictures of other things, and the share of them that is called unknown.

    Attributes:
        kind: `photographs`, or `drawn` where nobody gave some.
        source: Name of their folder; what they are, where they are drawn.
        flagged: The share.
    """

    kind: Literal["photographs", "drawn"]
    source: str
    flagged: Share


@dataclass(frozen=True)
class Novelty:
    """How strange a picture is to what the model was trained on.

    Attributes:
        k: Likeness is the cosine of its features to those of the k-th nearest reference.
        references: Number of training pictures that are kept as references.
        fitted_on: Number of own pictures that it is compared with.
        level: Pictures with a novelty up to this one are unknown.
        own_flagged: On test pictures, the share that is wrongly called unknown.
        foreign: What it was tried on; None where that could not be done.
    """

    k: int
    references: int
    fitted_on: int
    level: float
    own_flagged: Share
    foreign: Foreign | None = None


@dataclass(frozen=True)
class Verdicts:
    """How test pictures were answered: the share of each verdict, and of the right best labels.

    `right_if_confident` and `right_if_uncertain` are None where no test picture was answered so.
    """

    confident: float
    uncertain: float
    unknown: float
    right_if_confident: Share | None = None
    right_if_uncertain: Share | None = None


@dataclass(frozen=True)
class Trust:
    """What was measured of a version's answers; each member is None where it was not.

    `accuracy` is the share of test pictures whose best label is right.
    """

    accuracy: Share | None = None
    calibration: Calibration | None = None
    label_sets: LabelSets | None = None
    novelty: Novelty | None = None
    verdicts: Verdicts | None = None

    @property
    def temperature_after(self) -> float:
        """What is left to be done by who loads the network: divide its logits by this."""
        found = self.calibration
        return found.temperature if found and found.applied == AFTER_NETWORK else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return it for `card.json`, without what was not measured."""
        found: dict[str, Any] = _present(asdict(self))
        return found

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Trust":
        """Return what the section of a checked `card.json` says."""
        made = {name: _MEMBERS[name](member) for name, member in document.items()}
        return cls(**made)


def _present(member: Any) -> Any:
    if not isinstance(member, dict):
        return member
    return {name: _present(value) for name, value in member.items() if value is not None}


def _share(document: Mapping[str, Any]) -> Share:
    return Share(**document)


def _label_sets(document: Mapping[str, Any]) -> LabelSets:
    return LabelSets(**{**document, "covered": _share(document["covered"])})


def _novelty(document: Mapping[str, Any]) -> Novelty:
    foreign = document.get("foreign")
    made = foreign and Foreign(**{**foreign, "flagged": _share(foreign["flagged"])})
    return Novelty(
        **{**document, "own_flagged": _share(document["own_flagged"]), "foreign": made or None}
    )


def _verdicts(document: Mapping[str, Any]) -> Verdicts:
    shares = {name: _share(value) for name, value in document.items() if isinstance(value, Mapping)}
    return Verdicts(**{**document, **shares})


_MEMBERS: Mapping[str, Any] = {
    "accuracy": _share,
    "calibration": lambda document: Calibration(**document),
    "label_sets": _label_sets,
    "novelty": _novelty,
    "verdicts": _verdicts,
}
