"""Whether a heat map is right: how fast a label goes when parts are taken away in the map's order.

Source: the deletion metric of Petsiuk, Das and Saenko 2018 (RISE), §4.2; less is better. Parts are
taken away instead of single pixels, and give way to a blur instead of black. The random orders are
those of random maps, in which neighbours go together as in the map that they are compared with:
parts that go one here, one there make a mosaic, which breaks a network sooner than a map that is
right, and what is compared would be the noise and not the places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.explaining.maps import HeatMap
from model_store.explaining.masking import Predict, blurred, probabilities_of, spans

SIDE = 7
"""Parts along each side: 49 of 32 by 32 pixels at 224."""
STEPS = 14
RANDOM_ORDERS = 8
RANDOM_SIDE = 3
"""Cells along each side of a random map, before it is as smooth as a real one."""
SEED = 2018
LEAST_GAIN = 0.05
"""A map explains if it takes so much more of the label's probability away than a random order does,
as a share of the probability on the whole picture. Of maps of random networks few do."""


@dataclass(frozen=True)
class Deletion:
    """Areas under the curve of a label's probability, from 0 to 1, while parts are taken away.

    Attributes:
        figure: By the order of the map; less is better.
        random: The mean of some random orders.
        best_random: The least of those.
        whole: The label's probability on the whole picture.
    """

    figure: float
    random: float
    best_random: float
    whole: float

    @property
    def gain(self) -> float:
        """How much better the map is than random, as a share of the whole picture's probability."""
        return (self.random - self.figure) / self.whole if self.whole > 0 else 0.0

    @property
    def explains(self) -> bool:
        """Whether the map is better than every random order, and by more than next to nothing."""
        return self.figure < self.best_random and self.gain >= LEAST_GAIN

    @property
    def reason(self) -> str:
        """Why the map explains or does not, in a sentence."""
        figures = f"{self.figure:.3f} by the map, {self.random:.3f} by random maps on average"
        if self.explains:
            return f"the label goes sooner than by {RANDOM_ORDERS} random maps: {figures}"
        if self.figure < self.best_random:
            return f"the label goes hardly sooner than by random maps: {figures}"
        return (
            f"the label goes no sooner than by the best of {RANDOM_ORDERS} random maps: {figures}"
        )


def measure(
    predict: Predict, pixels: NDArray[np.uint8], class_index: int, heat: HeatMap
) -> Deletion:
    """Return the figures of a map of pixels [H, W, 3] for a class; the same ones at every call."""
    rows, columns = (spans(n, SIDE) for n in pixels.shape[:2])
    parts = [(row, column) for row in rows for column in columns]
    importance = heat.resized(len(rows), len(columns))
    draw = np.random.default_rng(SEED)
    cells = draw.random((RANDOM_ORDERS, RANDOM_SIDE, RANDOM_SIDE), np.float32)
    random_maps = [HeatMap(each, heat.method).resized(len(rows), len(columns)) for each in cells]
    orders = [np.argsort(-each.ravel(), kind="stable") for each in (importance, *random_maps)]
    copies = (c for order in orders for c in _emptied(pixels, [parts[n] for n in order]))
    curves = probabilities_of(predict, copies, class_index).reshape(len(orders), STEPS + 1)
    areas: NDArray[np.float64] = np.asarray(np.trapezoid(curves, dx=1 / STEPS, axis=1))
    figure, random = float(areas[0]), areas[1:]
    return Deletion(figure, float(random.mean()), float(random.min()), float(curves[0, 0]))


def _emptied(
    pixels: NDArray[np.uint8], order: Sequence[tuple[slice, slice]]
) -> Iterator[NDArray[np.uint8]]:
    """Yield the whole picture, then copies with more and more parts taken away in an order."""
    copy, nothing = pixels.copy(), blurred(pixels)
    yield copy.copy()
    for some in np.array_split(np.arange(len(order)), STEPS):
        for n in some:
            copy[order[n]] = nothing[order[n]]
        yield copy.copy()
