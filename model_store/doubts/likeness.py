"""How alike a picture is to those that a model was trained on, by its features.

Likeness is the cosine to the k-th nearest reference. Of the scores that were tried on flowers
against other photographs it found most (98 % at 5 % of own pictures; largest probability 41 %,
energy 72 %).

Source: Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors".
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store.doubts import examples
from model_store.doubts.section import FILES

K = 10
MOST_REFERENCES = 500
# More own pictures than that only make a file larger.
MOST_OWN = 1000
LEVEL = 0.05
# With fewer own pictures none could be called unknown at that level: 1 of 20 is 0.05.
FEWEST_OWN = 19
# With fewer references the k-th nearest one is hardly nearer than the farthest.
FEWEST_REFERENCES = 2 * K

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Likeness:
    """What new pictures are held against.

    Attributes:
        references: float32 [references, width], rows of length 1.
        own: Likeness of own pictures that were not trained on, float32 [N], ascending.
        k: Which of the nearest references counts.
    """

    references: Matrix
    own: Matrix
    k: int = K

    def of(self, features: Matrix) -> float:
        """Return the likeness, from -1 to 1, of one picture's features [width]."""
        return float(np.partition(self._cosines(features), -self.k)[-self.k])

    def nearest(self, features: Matrix, n: int) -> tuple[tuple[int, float], ...]:
        """Return the `n` nearest references of one picture's features [width], nearest first.

        Each is its row and its distance, 1 - cosine, from 0 to 2; of equals the first row is first.
        """
        distances = np.clip(1 - self._cosines(features), 0, 2)
        rows = np.argsort(distances, kind="stable")[:n]
        return tuple((int(row), float(distances[row])) for row in rows)

    def _cosines(self, features: Matrix) -> Matrix:
        cosines: Matrix = self.references @ normalised(features[None])[0]
        return cosines

    def novelty(self, features: Matrix) -> float:
        """Return the share of own pictures that look at least as strange, this one counted in.

        Of own pictures no more than a share x has a novelty of x or less, however few there are
        to compare with.

        Source: Vovk, Gammerman and Shafer 2005, conformal p-values; Bates et al. 2023, "Testing
        for Outliers with Conformal p-values".
        """
        stranger = int(np.searchsorted(self.own, self.of(features), side="right"))
        return (1 + stranger) / (1 + len(self.own))

    def save(self, directory: Path) -> None:
        """Write the references and the own likenesses as files of a version."""
        places = [directory / path for path in FILES]
        places[0].parent.mkdir(parents=True, exist_ok=True)
        np.save(places[0], self.references.astype(np.float16))
        np.save(places[1], self.own)


def fit(training: Matrix, own: Matrix) -> Likeness | None:
    """Return what new pictures are held against; None where there are too few pictures.

    Args:
        training: Features [N, width] of training pictures; 500 of them at most are kept, evenly.
        own: Features [N, width] of pictures that were not trained on; at most 1,000 are used.
    """
    some, held_out = _evenly(training, MOST_REFERENCES), _evenly(own, MOST_OWN)
    if len(some) < FEWEST_REFERENCES or len(held_out) < FEWEST_OWN:
        return None
    # As they are kept: what is measured is what will be served.
    references = normalised(some).astype(np.float16).astype(np.float32)
    kept = Likeness(references, np.empty(0, np.float32))
    return Likeness(references, np.sort(np.array([kept.of(row) for row in held_out], np.float32)))


def normalised(features: Matrix) -> Matrix:
    """Return rows [N, width] of length 1; one of zeros stays as it is."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    rows: Matrix = features / np.maximum(lengths, np.float32(1e-12))
    return rows


def _evenly(rows: Matrix, limit: int) -> Matrix:
    return rows[list(examples.chosen(len(rows), limit))] if len(rows) else rows
