"""Two versions on the same pictures: how often they agree, where not, and how fast each is."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store.errors import ImageError, ModelFormatError
from model_store.reports import Report
from model_store.serving import ServedModel


@dataclass(frozen=True)
class BestAnswer:
    """The best label of one picture, its probability, and how long predicting took."""

    label: str
    probability: float
    milliseconds: float


@dataclass(frozen=True)
class Pair:
    """One picture and both answers.

    Attributes:
        picture: Path relative to the compared directory.
        first: Answer of the first version.
        second: Answer of the second.
        difference: Largest difference of the probability of one label, over the shared labels.
        truth: Name of its class folder, where that is a label of both; else None.
    """

    picture: str
    first: BestAnswer
    second: BestAnswer
    difference: float
    truth: str | None

    @property
    def agree(self) -> bool:
        """Whether both have the same best label."""
        return self.first.label == self.second.label


@dataclass(frozen=True)
class Side:
    """One version's part of a comparison; accuracy is None where no picture has a known label."""

    ref: str
    runtime: str
    milliseconds_per_image: float
    accuracy: float | None


@dataclass(frozen=True)
class Comparison:
    """What two versions answered on the same pictures; `skipped` could not be classified."""

    first: Side
    second: Side
    pairs: tuple[Pair, ...]
    skipped: tuple[str, ...]

    @property
    def agreement(self) -> float:
        """The share of pictures with the same best label."""
        return statistics.fmean(pair.agree for pair in self.pairs)

    @property
    def mean_difference(self) -> float:
        """The mean over pictures of the largest difference of a probability."""
        return statistics.fmean(pair.difference for pair in self.pairs)

    @property
    def largest_difference(self) -> float:
        """The largest difference of any probability on any picture."""
        return max(pair.difference for pair in self.pairs)

    @property
    def disagreements(self) -> tuple[Pair, ...]:
        """The pictures with different best labels, the largest difference first."""
        found = (pair for pair in self.pairs if not pair.agree)
        return tuple(sorted(found, key=lambda pair: -pair.difference))


def compare(
    first: ServedModel, second: ServedModel, directory: Path, *, report: Report
) -> Comparison:
    """Return what two loaded versions answer on every picture under a directory, however deep.

    A folder whose name is a label of both versions says what its pictures show.

    Raises:
        ModelFormatError: the versions share no label, or no picture there can be classified.
    """
    shared = _Shared.of(first, second)
    found = sorted(path for path in directory.rglob("*") if path.is_file())
    for model in (first, second):
        model.warm_up()
    pairs, skipped = [], []
    for i, path in enumerate(found):
        report(f"Picture {i + 1} of {len(found)}")
        try:
            pairs.append(_pair(first, second, path, directory, shared))
        except ImageError:
            skipped.append(path.relative_to(directory).as_posix())
    if not pairs:
        raise ModelFormatError(f"{directory} has {len(found)} files, but no picture; give another")
    return Comparison(
        _side(first, [pair.first for pair in pairs], pairs),
        _side(second, [pair.second for pair in pairs], pairs),
        tuple(pairs),
        tuple(skipped),
    )


@dataclass(frozen=True)
class _Shared:
    """Labels of both versions with their class indices in each, in the same order."""

    labels: frozenset[str]
    first: NDArray[np.intp]
    second: NDArray[np.intp]

    @classmethod
    def of(cls, first: ServedModel, second: ServedModel) -> "_Shared":
        labels = [label for label in first.card.labels if label in set(second.card.labels)]
        if not labels:
            raise ModelFormatError(f"{first.card.ref} and {second.card.ref} share no label")
        return cls(frozenset(labels), _indices(first, labels), _indices(second, labels))


def _indices(model: ServedModel, labels: Sequence[str]) -> NDArray[np.intp]:
    index = {label: i for i, label in enumerate(model.card.labels)}
    return np.array([index[label] for label in labels])


def _pair(
    first: ServedModel, second: ServedModel, path: Path, directory: Path, shared: _Shared
) -> Pair:
    upload = path.read_bytes()
    one, its_answer = _answer(first, upload)
    other, other_answer = _answer(second, upload)
    relative = path.relative_to(directory)
    return Pair(
        picture=relative.as_posix(),
        first=its_answer,
        second=other_answer,
        difference=float(np.abs(one[shared.first] - other[shared.second]).max()),
        truth=path.parent.name if path.parent.name in shared.labels else None,
    )


def _answer(model: ServedModel, upload: bytes) -> tuple[NDArray[np.float32], BestAnswer]:
    image = model.prepare(upload)[None]
    started = time.perf_counter()
    probabilities = model.predict(image)[0]
    milliseconds = (time.perf_counter() - started) * 1000
    best = model.rank(probabilities, k=1)[0]
    return probabilities, BestAnswer(best.label, float(best.probability), milliseconds)


def _side(model: ServedModel, answers: Sequence[BestAnswer], pairs: Sequence[Pair]) -> Side:
    known = [
        pair.truth == answer.label
        for pair, answer in zip(pairs, answers, strict=True)
        if pair.truth is not None
    ]
    return Side(
        ref=model.card.ref,
        runtime=model.runtime,
        milliseconds_per_image=statistics.median(answer.milliseconds for answer in answers),
        accuracy=statistics.fmean(known) if known else None,
    )
