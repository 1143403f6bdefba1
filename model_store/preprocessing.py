"""From an upload's bytes to the pixels a network takes; serving, training and tools all use it.

Everything that decides a pixel is here or in the model's `PreprocessingSpec`, and normalisation is
inside the graph, so a model sees the same numbers wherever it runs.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store.card import PreprocessingSpec
from model_store.errors import TruncatedImageError, UnsupportedImageFormatError
from model_store.headers import BROKEN_BYTES, DEFAULT_MAX_PIXELS, open_image

# Transparent pixels show this colour: the page that most such pictures are drawn for is white.
BACKGROUND = (255, 255, 255)

# A JPEG may be decoded at 1/2, 1/4 or 1/8 while it stays this many times larger than needed; the
# resize then still averages over real pixels (64 megapixels: 1.02 s -> 0.07 s).
DRAFT_MARGIN = 2

_KERNELS = {kernel.name.lower(): kernel for kernel in Image.Resampling}
ORIENTATION_TAG = 0x0112
# What makes a picture upright, by its EXIF orientation; 1 is upright. Source: EXIF 2.3, 4.6.4 A.
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIXTEEN_BIT_MODES = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_WIDE_MODES = frozenset({"I", "F", "LAB"})


def decode(
    upload: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, shorter_side: int | None = None
) -> Image.Image:
    """Return the first frame of an upload as an upright 8-bit RGB image.

    EXIF orientation is applied, transparency is laid on white, 16-bit grey is scaled (not clipped)
    to 8 bits. With `shorter_side`, a large JPEG may be decoded smaller, but never under
    `DRAFT_MARGIN` times that many pixels.

    Raises:
        NotAnImageError: the bytes are no picture in an accepted format.
        TooManyPixelsError: width times height is over `max_pixels`.
        TruncatedImageError: the pixels cannot be decoded to the end.
        UnsupportedImageFormatError: pixels with 32 bits a channel, or in the Lab colour space.
    """
    image = open_image(upload, max_pixels)
    try:
        if shorter_side is not None:
            image.draft("RGB", (DRAFT_MARGIN * shorter_side,) * 2)
        image.load()
    except BROKEN_BYTES as exc:
        raise TruncatedImageError(
            f"the {image.format} of {len(upload)} bytes is cut off or damaged: {exc}"
        ) from exc
    return _rgb(_upright(image))


def prepare(
    upload: bytes, spec: PreprocessingSpec, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> NDArray[np.uint8]:
    """Return the pixels [H, W, 3] that a model with this spec takes, with H = W = input_size.

    Raises:
        ImageError: see `decode`.
    """
    shorter_side = math.ceil(spec.input_size / spec.crop_fraction)
    image = decode(upload, max_pixels=max_pixels, shorter_side=shorter_side)
    return pixels(image, spec)


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


def _upright(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(ORIENTATION_TAG)
    except BROKEN_BYTES:
        # Broken metadata says nothing about the pixels, which were decoded to the end.
        return None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in _WIDE_MODES:
        raise UnsupportedImageFormatError(
            f"the {image.format} has {image.mode} pixels, whose range is not fixed; "
            "save it as RGB or grey with 8 or 16 bits a channel"
        )
    if image.mode in _SIXTEEN_BIT_MODES:
        return _scaled_to_8_bits(image).convert("RGB")
    if (image.mode != "RGB" and image.has_transparency_data) or "transparency" in image.info:
        return _on_background(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    # 65535 / 255 = 257; Pillow's own conversion clips everything above 255 to white.
    grey = np.asarray(image, dtype=np.uint32)
    return Image.fromarray(((grey + 128) // 257).astype(np.uint8))


def _on_background(image: Image.Image) -> Image.Image:
    background = Image.new("RGBA", image.size, BACKGROUND)
    return Image.alpha_composite(background, image).convert("RGB")
