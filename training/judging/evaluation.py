"""What a trained model does on pictures that it has never seen, in numbers with intervals.

`evaluate` takes the logits of the untouched test pictures; `training.reporting` shows what it
returns, and gates compare it with what was asked for.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from training.judging.intervals import Estimate, f1_scores, wilson
from training.judging.reliability import (
    ReliabilityBin,
    brier_score,
    expected_calibration_error,
    reliability,
)
from training.judging.temperature import check_logits, negative_log_likelihood, softmax

_BOOTSTRAP_SEED = 0
# What a person looks through in a minute or two.
_MOST_LOOKED_AT = 24
_MOST_PAIRS = 20
_TOP = 5


@dataclass(frozen=True, eq=False)
class TestSet:
    """The test pictures, what they show and what the model said.

    Attributes:
        labels: The label of each class.
        paths: Where each picture is, for the list of mistakes.
        truth: The class index of each picture, int64 [N].
        logits: What the model said before softmax, float32 [N, classes].
        temperature: What the logits are divided by before softmax, fitted on validation pictures.
    """

    # Without it pytest would take the class for tests, from its name.
    __test__: ClassVar[bool] = False

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    truth: NDArray[np.int64]
    logits: NDArray[np.float32]
    temperature: float


@dataclass(frozen=True)
class ClassScores:
    """How one class fared.

    Attributes:
        label: Its label.
        class_index: Its place among the labels.
        support: Test pictures that show it.
        predicted: Test pictures that were taken for it.
        precision: Share of `predicted` that was right; None when nothing was taken for it.
        recall: Share of `support` that was found; None when no picture shows it.
        f1: Harmonic mean of both; None when it occurs neither as truth nor as prediction.
    """

    label: str
    class_index: int
    support: int
    predicted: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None


@dataclass(frozen=True)
class Calibration:
    """How far the probabilities can be believed; see `reliability` for each number."""

    expected_calibration_error: float
    negative_log_likelihood: float
    brier_score: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class Mistake:
    """A test picture whose most probable label is wrong; probabilities are after temperature."""

    path: str
    true_label: str
    predicted_label: str
    probability: float
    true_probability: float


@dataclass(frozen=True)
class ConfusedPair:
    """`count` pictures of one class were taken for another: this `share` of the true class."""

    true_label: str
    predicted_label: str
    count: int
    share: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that was measured on a test set.

    Attributes:
        labels: The label of each class.
        pictures: Number of test pictures.
        top1: Share whose most probable label is right.
        top5: Share whose right label is among the `top_k` most probable ones.
        top_k: 5; with fewer than ten classes half of them, as 5 guesses would hardly ever miss.
        macro_f1: Mean F1 of the classes that have one, each class counting the same.
        per_class: One entry a class, in class order.
        confusion: Pictures by true (rows) and predicted (columns) class, int64 [classes, classes].
        temperature: What the logits were divided by for everything that is called "after".
        before: Calibration of the plain softmax.
        after: Calibration with the temperature.
        mistakes: All of them, the most confident ones first.
        mistake_count: How many there are.
        confused_pairs: The most frequent ones first, at most 20.
    """

    labels: tuple[str, ...]
    pictures: int
    top1: Estimate
    top5: Estimate
    top_k: int
    macro_f1: float
    per_class: tuple[ClassScores, ...]
    confusion: NDArray[np.int64]
    temperature: float
    before: Calibration
    after: Calibration
    mistakes: tuple[Mistake, ...]
    mistake_count: int
    confused_pairs: tuple[ConfusedPair, ...]

    @property
    def worst_mistakes(self) -> tuple[Mistake, ...]:
        """The 24 most confident ones, for those who look at the pictures."""
        return self.mistakes[:_MOST_LOOKED_AT]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it; what is undefined is None, never NaN."""
        return asdict(self) | {"confusion": self.confusion.tolist()}


def evaluate(test: TestSet) -> Evaluation:
    """Return what the model got right and wrong, and how sure each number is.

    Equal logits rank in class order, as in served answers. Equal input gives equal output.

    Raises:
        ValueError: there are no pictures, or labels, paths, truth and logits do not fit together.
    """
    _check(test)
    confusion = _confusion(test)
    per_class = _per_class(test.labels, confusion)
    top_k = _top_k(len(test.labels))
    mistakes = _mistakes(test)
    return Evaluation(
        labels=test.labels,
        pictures=len(test.truth),
        top1=_top(test, 1),
        top5=_top(test, top_k),
        top_k=top_k,
        macro_f1=float(np.mean([scores.f1.value for scores in per_class if scores.f1])),
        per_class=per_class,
        confusion=confusion,
        temperature=test.temperature,
        before=_calibration(test, temperature=1.0),
        after=_calibration(test, temperature=test.temperature),
        mistakes=mistakes,
        mistake_count=len(mistakes),
        confused_pairs=_confused_pairs(test.labels, confusion),
    )


def _check(test: TestSet) -> None:
    check_logits(test.logits, test.truth)
    if (len(test.paths), len(test.labels)) != test.logits.shape:
        raise ValueError(
            f"{len(test.paths)} paths and {len(test.labels)} labels do not fit logits of shape "
            f"{test.logits.shape}; give one path a row and one label a column"
        )
    if not 0 < test.temperature < float("inf"):
        raise ValueError(f"temperature is {test.temperature}; it must be above 0 and finite")


def _confusion(test: TestSet) -> NDArray[np.int64]:
    classes = len(test.labels)
    cells = test.truth * classes + test.logits.argmax(axis=1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def _per_class(labels: Sequence[str], confusion: NDArray[np.int64]) -> tuple[ClassScores, ...]:
    f1 = f1_scores(confusion, seed=_BOOTSTRAP_SEED)
    return tuple(_class_scores(i, label, confusion, f1[i]) for i, label in enumerate(labels))


def _class_scores(
    i: int, label: str, confusion: NDArray[np.int64], f1: Estimate | None
) -> ClassScores:
    right, support = int(confusion[i, i]), int(confusion[i].sum())
    predicted = int(confusion[:, i].sum())
    precision = wilson(right, predicted) if predicted else None
    recall = wilson(right, support) if support else None
    return ClassScores(label, i, support, predicted, precision, recall, f1)


def _top_k(classes: int) -> int:
    return max(1, min(_TOP, classes // 2))


def _top(test: TestSet, k: int) -> Estimate:
    truth = test.truth[:, None]
    own = np.take_along_axis(test.logits, truth, axis=1)
    # Equal logits rank in class order, as in model_store.ranking.
    tied_before = (test.logits == own) & (np.arange(len(test.labels)) < truth)
    ranks = ((test.logits > own) | tied_before).sum(axis=1)
    return wilson(int((ranks < k).sum()), len(test.truth))


def _calibration(test: TestSet, *, temperature: float) -> Calibration:
    probabilities = softmax(test.logits, temperature=temperature)
    return Calibration(
        expected_calibration_error(probabilities, test.truth),
        negative_log_likelihood(test.logits, test.truth, temperature=temperature),
        brier_score(probabilities, test.truth),
        reliability(probabilities, test.truth),
    )


def _mistakes(test: TestSet) -> tuple[Mistake, ...]:
    wrong = np.flatnonzero(test.logits.argmax(axis=1) != test.truth)
    probabilities = softmax(test.logits[wrong], temperature=test.temperature)
    found = [_mistake(test, int(i), each) for i, each in zip(wrong, probabilities, strict=True)]
    return tuple(sorted(found, key=lambda mistake: (-mistake.probability, mistake.path)))


def _mistake(test: TestSet, i: int, probabilities: NDArray[np.float64]) -> Mistake:
    truth, predicted = int(test.truth[i]), int(test.logits[i].argmax())
    return Mistake(
        test.paths[i],
        test.labels[truth],
        test.labels[predicted],
        float(probabilities[predicted]),
        float(probabilities[truth]),
    )


def _confused_pairs(
    labels: Sequence[str], confusion: NDArray[np.int64]
) -> tuple[ConfusedPair, ...]:
    wrong = confusion * (1 - np.eye(len(labels), dtype=np.int64))
    support = confusion.sum(axis=1)
    pairs = sorted((-int(wrong[i, j]), int(i), int(j)) for i, j in np.argwhere(wrong))
    return tuple(
        ConfusedPair(labels[i], labels[j], -minus, -minus / int(support[i]))
        for minus, i, j in pairs[:_MOST_PAIRS]
    )
