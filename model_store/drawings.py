"""Pictures that are drawn instead of photographed, the same ones each time.

They stand in for photographs where none are at hand: for calibration, for comparing variants and
as golden pictures.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Widths of the layers of noise, in pixels, from coarse to fine: like photographs, the sum has more
# contrast the coarser the detail is.
TEXTURE_WIDTHS = (3, 7, 28, 112)


def textures(n: int, *, input_size: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return `n` drawn pictures [n, input_size, input_size, 3] with detail at every scale."""
    generator = np.random.default_rng(seed)
    size = (input_size, input_size)
    return np.stack([np.asarray(texture(generator, size, TEXTURE_WIDTHS)) for _ in range(n)])


def texture(
    generator: np.random.Generator, size: tuple[int, int], widths: Sequence[int]
) -> Image.Image:
    """Return an RGB picture: layers of noise, each half as strong as the one before it.

    Args:
        generator: Where the noise comes from.
        size: Width and height in pixels.
        widths: Width in pixels of each layer before it is enlarged to `size`.
    """
    total = np.zeros((size[1], size[0], 3), np.float32)
    for i, width in enumerate(widths):
        height = max(2, round(width * size[1] / size[0]))
        noise = generator.integers(0, 256, (height, width, 3), np.uint8)
        layer = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float32) / 2 ** (i + 1)
    return Image.fromarray(total.clip(0, 255).astype(np.uint8))
