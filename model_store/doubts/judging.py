"""From the probabilities and features of one picture to its doubts; who serves and who judges."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store import arrays
from model_store.doubts import label_sets
from model_store.doubts.likeness import Likeness
from model_store.doubts.section import FILES, Trust
from model_store.predictions import CONFIDENT, UNCERTAIN, UNKNOWN, Doubts, Verdict

NONE = Doubts()


@dataclass(frozen=True, eq=False)
class Judge:
    """What a version can say of its answers.

    Attributes:
        labels: Of the version, in class order.
        threshold: Of the label sets; None where they were not measured.
        likeness: None where strangeness was not measured.
        level: Pictures with a novelty up to this one are unknown.
    """

    labels: tuple[str, ...]
    threshold: float | None = None
    likeness: Likeness | None = None
    level: float = 0.0

    @classmethod
    def of(cls, labels: tuple[str, ...], trust: Trust | None, directory: Path) -> "Judge":
        """Return that of a published version, whose verified files are in `directory`."""
        found = trust or Trust()
        sets, novelty = found.label_sets, found.novelty
        return cls(
            labels,
            threshold=sets.threshold if sets else None,
            likeness=_likeness(directory, novelty.k) if novelty else None,
            level=novelty.level if novelty else 0.0,
        )

    def doubts(
        self,
        probabilities: NDArray[np.float32],
        features: NDArray[np.float32] | None,
        *,
        ignores_unknown: bool = False,
    ) -> Doubts:
        """Return the doubts of one picture, as far as they can be vouched for.

        Args:
            probabilities: As they are served, [classes].
            features: Of the picture, [width]; None where what predicts does not give them.
            ignores_unknown: Do not ask how strange the picture is.
        """
        novelty, chosen = None, None
        if self.likeness is not None and features is not None and not ignores_unknown:
            novelty = round(self.likeness.novelty(features), 4)
        if self.threshold is not None:
            indices = label_sets.label_set(probabilities, self.threshold)
            chosen = tuple(self.labels[i] for i in indices)
        return Doubts(self._verdict(novelty, chosen), chosen, novelty)

    def _verdict(self, novelty: float | None, chosen: tuple[str, ...] | None) -> Verdict | None:
        if novelty is not None and novelty <= self.level:
            return UNKNOWN
        if chosen is None:
            return None
        return CONFIDENT if len(chosen) == 1 else UNCERTAIN


def _likeness(directory: Path, k: int) -> Likeness:
    references, own = (_array(directory / path) for path in FILES)
    return Likeness(references, own, k)


def _array(path: Path) -> Any:
    return arrays.load(path).astype(np.float32)
