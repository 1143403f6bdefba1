"""Heat maps by occlusion: how probable a label is where parts of the picture are covered.

It needs nothing but predictions, so it works for every network on every runtime. Covers are random
and soft, and half of the picture is covered each time (RISE: Petsiuk, Das and Saenko 2018, §3.2).
On photographs that gives a better deletion figure than one cover that is moved over the picture
(Zeiler and Fergus 2014) for the same number of predictions; twice as many gain nothing.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model_store.explaining.maps import OCCLUSION, HeatMap
from model_store.explaining.masking import Predict, probabilities_of, spans

MASKS = 196
SIDE = 7
"""Cells of a mask along each side, as many as the last feature maps of most networks have."""
MAP_SIDE = 14
SEED = 2018


def heat_map(predict: Predict, pixels: NDArray[np.uint8], class_index: int) -> HeatMap:
    """Return how much of a class's probability goes with each part of pixels [H, W, 3].

    A cell is the slope of the probability over how much of that place is seen; the same picture has
    the same map at every call.
    """
    seen = _masks(*pixels.shape[:2])
    found = probabilities_of(predict, _covered(pixels, seen), class_index)
    spread = seen - seen.mean(axis=0)
    slope = np.tensordot(found - found.mean(), spread, axes=1) / (len(seen) * seen.var(axis=0))
    return HeatMap(_cells(slope.astype(np.float32)), OCCLUSION)


def _masks(height: int, width: int) -> NDArray[np.float32]:
    """Return masks [N, H, W] from 0 for covered to 1 for seen, each moved by part of a cell."""
    draw = np.random.default_rng(SEED)
    cell = -(-max(height, width) // SIDE)
    larger = (SIDE + 1) * cell
    masks = np.empty((MASKS, height, width), np.float32)
    for n in range(MASKS):
        cells = (draw.random((SIDE, SIDE)) < 0.5).astype(np.float32)  # noqa: PLR2004 - half
        top, left = draw.integers(0, cell, 2)
        whole = HeatMap(cells, OCCLUSION).resized(larger, larger)
        masks[n] = whole[top : top + height, left : left + width]
    return masks


def _covered(pixels: NDArray[np.uint8], seen: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
    """Yield copies of a picture under each mask; the cover has the picture's mean colour.

    Black or grey would be an edge, and a thing of its own, in most pictures.
    """
    cover = pixels.mean(axis=(0, 1), dtype=np.float32)
    for mask in seen[..., None]:
        yield (pixels * mask + cover * (1 - mask)).round().astype(np.uint8)


def _cells(slope: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means [rows, columns] of a map [H, W] over equal parts."""
    rows, columns = (spans(n, MAP_SIDE) for n in slope.shape)
    means = [[slope[row, column].mean() for column in columns] for row in rows]
    return np.array(means, np.float32)
