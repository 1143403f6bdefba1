"""From the probabilities and features of one picture to its doubts; who serves and who judges."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store import arrays
from model_store.doubts import examples, label_sets
from model_store.doubts.examples import Example
from model_store.doubts.likeness import Likeness
from model_store.doubts.section import FILES, Trust
from model_store.predictions import CONFIDENT, UNCERTAIN, UNKNOWN, Doubts, Neighbour, Verdict

NONE = Doubts()


@dataclass(frozen=True, eq=False)
class Judge:
    """What a version can say of its answers.

    Attributes:
        labels: Of the version, in class order.
        threshold: Of the label sets; None where they were not measured.
        likeness: None where strangeness was not measured.
        level: Pictures with a novelty up to this one are unknown.
        examples: What the references are, in their order; None where that is not kept.
    """

    labels: tuple[str, ...]
    threshold: float | None = None
    likeness: Likeness | None = None
    level: float = 0.0
    examples: tuple[Example, ...] | None = None

    @classmethod
    def of(
        cls,
        labels: tuple[str, ...],
        trust: Trust | None,
        directory: Path,
        *,
        files: Collection[str] = (),
    ) -> "Judge":
        """Return that of a published version, whose verified `files` are in `directory`."""
        found = trust or Trust()
        sets, novelty = found.label_sets, found.novelty
        likeness = _likeness(directory, novelty.k) if novelty else None
        return cls(
            labels,
            threshold=sets.threshold if sets else None,
            likeness=likeness,
            level=novelty.level if novelty else 0.0,
            examples=_examples(directory, likeness) if examples.EXAMPLES in files else None,
        )

    def doubts(
        self,
        probabilities: NDArray[np.float32],
        features: NDArray[np.float32] | None,
        *,
        ignores_unknown: bool = False,
        neighbours: int = 0,
    ) -> Doubts:
        """Return the doubts of one picture, as far as they can be vouched for.

        Args:
            probabilities: As they are served, [classes].
            features: Of the picture, [width]; None where what predicts does not give them.
            ignores_unknown: Do not ask how strange the picture is.
            neighbours: How many training pictures that look like it are wanted.
        """
        novelty, chosen = None, None
        if self.likeness is not None and features is not None and not ignores_unknown:
            novelty = round(self.likeness.novelty(features), 4)
        if self.threshold is not None:
            indices = label_sets.label_set(probabilities, self.threshold)
            chosen = tuple(self.labels[i] for i in indices)
        found = self._neighbours(features, neighbours) if neighbours else None
        return Doubts(self._verdict(novelty, chosen), chosen, novelty, found)

    def _neighbours(
        self, features: NDArray[np.float32] | None, n: int
    ) -> tuple[Neighbour, ...] | None:
        if self.likeness is None or self.examples is None or features is None:
            return None
        nearest = self.likeness.nearest(features, n)
        return tuple(_neighbour(row, d, self.examples[row]) for row, d in nearest)

    def _verdict(self, novelty: float | None, chosen: tuple[str, ...] | None) -> Verdict | None:
        if novelty is not None and novelty <= self.level:
            return UNKNOWN
        if chosen is None:
            return None
        return CONFIDENT if len(chosen) == 1 else UNCERTAIN


def _likeness(directory: Path, k: int) -> Likeness:
    references, own = (_array(directory / path) for path in FILES)
    return Likeness(references, own, k)


def _examples(directory: Path, likeness: Likeness | None) -> tuple[Example, ...] | None:
    if likeness is None:
        return None
    return examples.load(directory, references=len(likeness.references))


def _neighbour(row: int, distance: float, shown: Example) -> Neighbour:
    return Neighbour(row, shown.label, round(distance, 4), shown.name, shown.has_thumbnail)


def _array(path: Path) -> Any:
    return arrays.load(path).astype(np.float32)
