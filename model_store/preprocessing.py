"""From a decoded picture to the pixels a network takes; serving, training and tools all use it.

Everything that decides a pixel is here, in `pictures`, or in the model's `PreprocessingSpec`, and
normalisation is inside the graph, so a model sees the same numbers wherever it runs.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store.card import PreprocessingSpec
from model_store.pictures.decoding import decode, decode_what_is_there
from model_store.pictures.headers import DEFAULT_MAX_PIXELS

_KERNELS = {kernel.name.lower(): kernel for kernel in Image.Resampling}


@dataclass(frozen=True)
class Prepared:
    """The pixels [H, W, 3] that a model takes, and what the picture's client should know."""

    pixels: NDArray[np.uint8]
    warnings: tuple[str, ...] = ()


def prepare(
    upload: bytes, spec: PreprocessingSpec, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> NDArray[np.uint8]:
    """Return the pixels [H, W, 3] that a model with this spec takes, with H = W = input_size.

    Raises:
        ImageError: see `decode`.
    """
    image = decode(upload, max_pixels=max_pixels, shorter_side=_shorter_side(spec))
    return pixels(image, spec)


def prepare_what_is_there(
    upload: bytes, spec: PreprocessingSpec, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Prepared:
    """Return the same as `prepare`; of a JPEG that is cut off, the part that there is.

    Raises:
        ImageError: see `decode_what_is_there`.
    """
    decoded = decode_what_is_there(upload, max_pixels=max_pixels, shorter_side=_shorter_side(spec))
    return Prepared(pixels(decoded.image, spec), decoded.warnings)


def _shorter_side(spec: PreprocessingSpec) -> int:
    """Return the pixels that the shorter side of a picture needs before it is cropped."""
    return math.ceil(spec.input_size / spec.crop_fraction)


def pixels(image: Image.Image, spec: PreprocessingSpec) -> NDArray[np.uint8]:
    """Return the central square of an RGB image, resized to [input_size, input_size, 3].

    The side of the square is `crop_fraction` of the shorter side and need not be whole.

    Source: central crop of Krizhevsky et al. 2012, as in the evaluation of EfficientNet.
    """
    side = spec.crop_fraction * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return stretched(image, (left, top, left + side, top + side), spec)


def stretched(
    image: Image.Image, box: tuple[float, float, float, float], spec: PreprocessingSpec
) -> NDArray[np.uint8]:
    """Return a piece of an RGB image, resized to [input_size, input_size, 3].

    The box is left, top, right and bottom in pixels, which need not be whole.
    """
    size = (spec.input_size, spec.input_size)
    array = np.asarray(image.resize(size, _KERNELS[spec.resample], box=box))
    return array if spec.channel_order == "RGB" else np.ascontiguousarray(array[..., ::-1])
