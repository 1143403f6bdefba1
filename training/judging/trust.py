"""How far a model's answers can be trusted: fitted on validation pictures, shown on test pictures.

What fits and what judges is `model_store.doubts`, which serves as well, so the figures here are
those of the answers that clients get.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.doubts import label_sets, likeness
from model_store.doubts.examples import Examples
from model_store.doubts.judging import Judge
from model_store.doubts.likeness import Likeness
from model_store.doubts.section import (
    Calibration,
    Foreign,
    LabelSets,
    Novelty,
    Share,
    Trust,
    Verdicts,
)
from model_store.predictions import CONFIDENT, UNCERTAIN, UNKNOWN, Doubts
from training.judging.evaluation import Evaluation
from training.judging.intervals import wilson

# With fewer validation or test pictures nothing is said: 19 of 19 could still be 83 %.
FEWEST_PICTURES = 20

# Where nobody gave pictures of other things.
DRAWN_PICTURES = 100
DRAWN_SOURCE = "textures of coloured noise"
# A seed of their own: other textures calibrate and compare variants.
DRAWN_SEED = 20

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a model says of N pictures.

    Attributes:
        paths: Where they are.
        truth: The class index of each, int [N]; -1 for what is of no class.
        probabilities: As they are served, float32 [N, classes].
        features: float32 [N, width]; None where what predicts does not give them.
    """

    paths: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: Matrix
    features: Matrix | None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.paths)


@dataclass(frozen=True, eq=False)
class SeenForeign:
    """Pictures of other things: what they are, as `Foreign` has it, and what the model says."""

    kind: Any
    source: str
    seen: Seen


@dataclass(frozen=True)
class Judged:
    """One picture with its answer; `true_label` is None for what is of no class."""

    path: str
    true_label: str | None
    label: str
    probability: float
    doubts: Doubts

    @property
    def is_right(self) -> bool:
        """Whether the best label is the true one."""
        return self.label == self.true_label


@dataclass(frozen=True)
class ClassSets:
    """The label sets of the test pictures of one class."""

    label: str
    pictures: int
    covered: float
    mean_labels: float


@dataclass(frozen=True, eq=False)
class Measured:
    """What the card says, what serves by it, and the pictures behind it.

    `examples` are what is told of the references of `likeness`.
    """

    trust: Trust
    likeness: Likeness | None
    own: tuple[Judged, ...]
    foreign: tuple[Judged, ...]
    examples: Examples | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures and each answer as JSON takes them."""
        answers = {"test_pictures": self.own, "foreign_pictures": self.foreign}
        found = {name: [asdict(each) for each in some] for name, some in answers.items()}
        return {"card": self.trust.to_dict(), **found}

    @property
    def set_sizes(self) -> dict[int, int]:
        """How many test pictures have a label set of each size."""
        sizes = [len(each.doubts.label_set) for each in self.own if each.doubts.label_set]
        return {int(size): sizes.count(size) for size in sorted(set(sizes))}

    def sets_by_class(self) -> tuple[ClassSets, ...]:
        """Return how the label sets of each class did, in the order of the first test pictures."""
        by_class: dict[str, list[Judged]] = {}
        for each in self.own:
            if each.true_label is not None and each.doubts.label_set:
                by_class.setdefault(each.true_label, []).append(each)
        return tuple(_class_sets(label, some) for label, some in sorted(by_class.items()))


@dataclass(frozen=True, eq=False)
class Material:
    """What is fitted and judged on.

    Attributes:
        labels: In class order.
        validation: What everything is fitted on.
        testing: What it is shown on.
        references: Features of training pictures, [N, width]; None where there are no features.
        foreign: Pictures of other things; None where there are none.
    """

    labels: tuple[str, ...]
    validation: Seen
    testing: Seen
    references: Matrix | None = None
    foreign: SeenForeign | None = None


def measure(material: Material, calibration: Calibration | None) -> Measured | None:
    """Return how far the answers can be trusted; None with fewer than 20 pictures of a kind.

    Args:
        material: The pictures.
        calibration: What was measured of the probabilities.
    """
    if min(len(material.validation), len(material.testing)) < FEWEST_PICTURES:
        return None
    fitted = _fitted(material)
    own = _judged(fitted, material.testing)
    foreign = _judged(fitted, material.foreign.seen) if material.foreign else ()
    trust = Trust(
        accuracy=_share([each.is_right for each in own]),
        calibration=calibration,
        label_sets=_label_sets(fitted, material, own),
        novelty=_novelty(fitted, material, own, foreign),
        verdicts=_verdicts(own),
    )
    return Measured(trust, fitted.likeness, own, foreign)


def calibration_of(found: Evaluation, *, applied: Any, fitted_on: int) -> Calibration | None:
    """Return what the evaluation says of the temperature; None with fewer than 20 pictures."""
    if min(fitted_on, found.pictures) < FEWEST_PICTURES:
        return None
    return Calibration(
        temperature=found.temperature,
        applied=applied,
        fitted_on=fitted_on,
        error_before=found.before.expected_calibration_error,
        error_after=found.after.expected_calibration_error,
        test_pictures=found.pictures,
    )


def risks(own: Sequence[Judged]) -> NDArray[np.float64]:
    """Return the share of mistakes among the n most probable answers, for n from 1 to all, [N].

    Source: El-Yaniv and Wiener 2010, the risk-coverage curve.
    """
    ordered = sorted(own, key=lambda each: -each.probability)
    wrong = np.cumsum([not each.is_right for each in ordered])
    return wrong / np.arange(1, len(ordered) + 1)


def _fitted(material: Material) -> Judge:
    validation = material.validation
    found = None
    if material.references is not None and validation.features is not None:
        found = likeness.fit(material.references, validation.features)
    threshold = label_sets.threshold(validation.probabilities, validation.truth)
    return Judge(material.labels, threshold, found, likeness.LEVEL if found else 0.0)


def _judged(judge: Judge, seen: Seen) -> tuple[Judged, ...]:
    features = [None] * len(seen) if seen.features is None else seen.features
    rows = zip(seen.paths, seen.truth, seen.probabilities, features, strict=True)
    return tuple(
        Judged(
            path=path,
            true_label=judge.labels[truth] if truth >= 0 else None,
            label=judge.labels[int(row.argmax())],
            probability=float(row.max()),
            doubts=judge.doubts(row, described),
        )
        for path, truth, row, described in rows
    )


def _label_sets(judge: Judge, material: Material, own: Sequence[Judged]) -> LabelSets | None:
    if judge.threshold is None:
        return None
    sets = [each.doubts.label_set or () for each in own]
    hits = [each.true_label in found for each, found in zip(own, sets, strict=True)]
    return LabelSets(
        wanted=label_sets.WANTED,
        threshold=judge.threshold,
        fitted_on=len(material.validation),
        covered=_share(hits),
        mean_labels=float(np.mean([len(found) for found in sets])),
    )


def _novelty(
    judge: Judge, material: Material, own: Sequence[Judged], foreign: Sequence[Judged]
) -> Novelty | None:
    if judge.likeness is None:
        return None
    other = material.foreign
    tried = Foreign(other.kind, other.source, _unknown(foreign)) if other and foreign else None
    return Novelty(
        k=judge.likeness.k,
        references=len(judge.likeness.references),
        fitted_on=len(judge.likeness.own),
        level=judge.level,
        own_flagged=_unknown(own),
        foreign=tried,
    )


def _verdicts(own: Sequence[Judged]) -> Verdicts | None:
    said = [each.doubts.verdict for each in own]
    if None in said:
        return None
    confident, uncertain, unknown = (
        said.count(name) / len(own) for name in (CONFIDENT, UNCERTAIN, UNKNOWN)
    )
    right = (_right(own, name) for name in (CONFIDENT, UNCERTAIN))
    return Verdicts(confident, uncertain, unknown, *right)


def _right(own: Sequence[Judged], verdict: str) -> Share | None:
    hits = [each.is_right for each in own if each.doubts.verdict == verdict]
    return _share(hits) if hits else None


def _unknown(judged: Sequence[Judged]) -> Share:
    return _share([each.doubts.verdict == UNKNOWN for each in judged])


def _share(hits: Sequence[bool]) -> Share:
    found = wilson(sum(hits), len(hits))
    return Share(found.value, found.low, found.high, len(hits))


def _class_sets(label: str, some: Sequence[Judged]) -> ClassSets:
    sets = [each.doubts.label_set or () for each in some]
    covered = np.mean([label in found for found in sets])
    return ClassSets(label, len(some), float(covered), float(np.mean([len(s) for s in sets])))
