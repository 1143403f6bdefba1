"""Taking parts of a picture away, and what is left where they were."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

BATCH = 8
"""Copies that are in memory and predicted at once: 1.2 MB of pixels at 224 by 224."""
BLUR_SHARE = 0.09
"""Standard deviation of the blur as a share of a picture's side: 20 pixels of 224."""

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def probabilities_of(
    predict: Predict, copies: Iterable[NDArray[np.uint8]], class_index: int
) -> NDArray[np.float64]:
    """Return the probability [N] of a class on each copy [H, W, 3] of a picture, batch by batch."""
    rows = [predict(batch)[:, class_index] for batch in _batches(copies)]
    return np.concatenate(rows).astype(np.float64)


def _batches(copies: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    waiting: list[NDArray[np.uint8]] = []
    for copy in copies:
        waiting.append(copy)
        if len(waiting) == BATCH:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


def blurred(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels [H, W, 3] of which only the rough colours are left."""
    radius = BLUR_SHARE * max(pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def spans(n: int, parts: int) -> list[slice]:
    """Return the pixels of each of `parts` nearly equal parts of a side; fewer on fewer pixels."""
    edges = np.linspace(0, n, min(n, parts) + 1).round().astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]
