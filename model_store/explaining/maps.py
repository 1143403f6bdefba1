"""The heat map of one picture and label."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["class activation", "occlusion"]
CLASS_ACTIVATION: Final = "class activation"
OCCLUSION: Final = "occlusion"


@dataclass(frozen=True, eq=False)
class HeatMap:
    """How much each part of the pixels [H, W, 3] that a network saw speaks for a label.

    Attributes:
        cells: Rows and columns [rows, columns] of equal parts; more is more for the label, and what
            is below zero speaks against it. The unit is the method's own.
        method: How it was made.
    """

    cells: NDArray[np.float32]
    method: Method

    def resized(self, rows: int, columns: int) -> NDArray[np.float32]:
        """Return the map [rows, columns], bilinear between the middles of its cells."""
        return _along(_along(self.cells, rows, axis=0), columns, axis=1)

    @property
    def strength(self) -> NDArray[np.float32]:
        """The map from 0, for what does not speak for the label, to 1; all 0 if nothing does."""
        positive: NDArray[np.float32] = np.maximum(self.cells, np.float32(0))
        largest = float(positive.max(initial=0))
        return positive / np.float32(largest) if largest > 0 else np.zeros_like(positive)


def _along(cells: NDArray[np.float32], n: int, *, axis: int) -> NDArray[np.float32]:
    """Return an array with `n` entries along an axis, linear between the middles of what it has."""
    had = cells.shape[axis]
    place = np.clip((np.arange(n) + 0.5) * had / n - 0.5, 0, had - 1)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, had - 1)
    share = (place - below).astype(np.float32)
    share = share[:, None] if axis == 0 else share[None, :]
    first, second = np.take(cells, below, axis=axis), np.take(cells, above, axis=axis)
    mixed: NDArray[np.float32] = (first * (1 - share) + second * share).astype(np.float32)
    return mixed
