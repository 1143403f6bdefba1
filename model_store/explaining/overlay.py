"""A heat map over its picture, as people look at it."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store.explaining.maps import HeatMap

SIDE_PIXELS = 448
"""Side of the drawing: twice what most networks see, so that a feature map of 7 by 7 is smooth."""

# The colours of cividis at equal steps: its lightness grows evenly, and people with and without
# colour blindness see nearly the same. Source: Nuñez, Anderton and Renslow 2018.
CIVIDIS = np.array(
    [
        (0, 34, 78),
        (18, 53, 112),
        (59, 73, 108),
        (87, 93, 109),
        (112, 113, 115),
        (138, 134, 120),
        (165, 156, 116),
        (195, 179, 105),
        (225, 204, 85),
        (254, 232, 56),
    ],
    np.float32,
)
LEAST, MOST = 0.25, 0.75
"""How much of the colour covers the picture where nothing, and where most, speaks for the label."""


def png(pixels: NDArray[np.uint8], heat: HeatMap) -> bytes:
    """Return a PNG of the map over the grey pixels [H, W, 3] that the network saw, in RGB order."""
    size = (SIDE_PIXELS, SIDE_PIXELS)
    beneath = Image.fromarray(pixels).convert("L").resize(size, Image.Resampling.BICUBIC)
    strength = _smooth(heat.strength, size)
    cover = (LEAST + (MOST - LEAST) * strength)[..., None]
    mixed = np.asarray(beneath, np.float32)[..., None] * (1 - cover) + coloured(strength) * cover
    buffer = BytesIO()
    Image.fromarray(mixed.round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _smooth(strength: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return strengths [H, W] from 0 to 1 at a size, without the edges that straight lines make."""
    resized = Image.fromarray(strength).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(resized, np.float32), 0, 1)


def coloured(strength: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the colours [H, W, 3], from 0 to 255, of strengths [H, W] from 0 to 1."""
    steps = np.linspace(0, 1, len(CIVIDIS))
    channels = [np.interp(strength, steps, CIVIDIS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)
