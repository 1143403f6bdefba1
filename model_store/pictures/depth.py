"""Grey of more than 8 bits, scaled to 8; Pillow's own conversion clips what is over 255."""

import numpy as np
from PIL import Image

from model_store.pictures import tiff

DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})


def eight_bits(image: Image.Image) -> Image.Image:
    """Return a deep grey picture as one of the mode L; white is 255 whatever it was stored as."""
    top = 2 ** (tiff.grey_bits(image) if image.format == "TIFF" else 16) - 1
    grey = np.asarray(image, dtype=np.uint32)
    if image.format == "TIFF" and tiff.is_white_zero(image):
        grey = top - np.minimum(grey, top)
    # Half of `top` is added, so that the division rounds to the nearest level.
    scaled = Image.fromarray(((grey * 255 + top // 2) // top).astype(np.uint8))
    scaled.info = image.info
    return scaled
