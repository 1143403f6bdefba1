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
from model_store.errors import UnsupportedImageFormatError
from model_store.pictures import npy
from model_store.pictures.decoding import decode, decode_what_is_there
from model_store.pictures.headers import DEFAULT_MAX_PIXELS

WHITE, HALF = 255, 0.5
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

    A float32 array is taken as what comes of that, and after the normalisation; see `restored`.

    Raises:
        ImageError: see `decode` and `restored`.
    """
    if (array := npy.read_header(upload, max_pixels)) and array.kind == npy.FLOAT32:
        return restored(upload, array, spec)
    image = decode(upload, max_pixels=max_pixels, shorter_side=_shorter_side(spec))
    return pixels(image, spec)


def prepare_what_is_there(
    upload: bytes, spec: PreprocessingSpec, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Prepared:
    """Return the same as `prepare`; of a JPEG that is cut off, the part that there is.

    Raises:
        ImageError: see `decode_what_is_there` and `restored`.
    """
    if (array := npy.read_header(upload, max_pixels)) and array.kind == npy.FLOAT32:
        return Prepared(restored(upload, array, spec))
    decoded = decode_what_is_there(upload, max_pixels=max_pixels, shorter_side=_shorter_side(spec))
    return Prepared(pixels(decoded.image, spec), decoded.warnings)


def restored(upload: bytes, array: npy.Array, spec: PreprocessingSpec) -> NDArray[np.uint8]:
    """Return the pixels of which a float32 array is the normalised form.

    Graphs take uint8 and normalise inside, so (pixels - mean) / scale is undone here. What was made
    of whole numbers gives the very same ones; others are rounded to the nearest.

    Raises:
        UnsupportedImageFormatError: it has another size than the model's input, or values that no
            pixel has: not a number, infinite, or not normalised as the card says.
    """
    size = spec.input_size
    if (array.height, array.width) != (size, size):
        raise UnsupportedImageFormatError(
            f"the float32 array is [{array.height}, {array.width}, 3]; the model's input is"
            f" [{size}, {size}, 3]; uint8 may have any size"
        )
    values = np.frombuffer(upload, npy.FLOAT32, offset=array.offset).astype(np.float64)
    pixels = values.reshape(size, size, npy.CHANNELS) * spec.scale + spec.mean
    # Written so that what is no number is refused, too.
    if not (pixels.min() >= -HALF and pixels.max() <= WHITE + HALF):
        raise UnsupportedImageFormatError(
            f"the float32 array has values that are no pixel's; expected (pixel - mean) / scale of"
            f" pixels from 0 to 255, with mean {list(spec.mean)} and scale {list(spec.scale)}"
        )
    return np.rint(pixels).clip(0, WHITE).astype(np.uint8)


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
