"""Laying a picture on white: alpha beside the colours, in the palette, or as a key colour."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from model_store.pictures import depth, tiff
from model_store.pictures.colour import to_srgb

# Transparent pixels show this colour: the page that most such pictures are drawn for is white.
BACKGROUND = (255, 255, 255)
_GREY_AND_ALPHA = frozenset({"LA", "La"})
_PNG_DEPTH_BYTE = 24
_BYTE_BITS, _WIDE_BITS = 8, 16


def on_background(image: Image.Image, upload: bytes) -> Image.Image:
    """Return a loaded picture with transparency as RGB on the background, its colours in sRGB."""
    colours, alpha = _parts(image, upload)
    colours.info = image.info
    picture = to_srgb(colours).convert("RGB")
    if image.format == "BMP" and alpha.getextrema() == (0, 0):
        return picture  # Bytes that nobody has filled, beside colours that somebody has.
    return Image.composite(picture, Image.new("RGB", picture.size, BACKGROUND), alpha)


def _parts(image: Image.Image, upload: bytes) -> tuple[Image.Image, Image.Image]:
    """Return the colours without transparency, and the alpha as a picture of the mode L."""
    if image.mode in _GREY_AND_ALPHA:
        return _grey(image), image.getchannel("A" if image.mode == "LA" else "a")
    if image.format == "PNG" and upload[_PNG_DEPTH_BYTE] != _BYTE_BITS and image.mode != "P":
        key = image.info.pop("transparency", None)
        if key is not None:
            return _without_key(image), _alpha_of_key(image, upload, key)
    with_alpha = image.convert("RGBA")
    return with_alpha.convert("RGB"), with_alpha.getchannel("A")


def _grey(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # Colours that are multiplied with alpha already.
        image = image.convert("LA")
    grey = image.getchannel("L")
    is_inverted = image.format == "TIFF" and tiff.is_white_zero(image)
    return ImageOps.invert(grey) if is_inverted else grey


def _without_key(image: Image.Image) -> Image.Image:
    return depth.eight_bits(image) if image.mode in depth.DEEP_MODES else image.copy()


def _alpha_of_key(
    image: Image.Image, upload: bytes, key: int | tuple[int, int, int]
) -> Image.Image:
    """Return the alpha of a PNG whose key colour Pillow would compare at the wrong depth.

    It makes 8 bits of samples with 2, 4 and 16, and leaves the key as it is.
    """
    shown = (_samples(image, upload) != np.array(key)).any(axis=2)
    return Image.fromarray(np.where(shown, 255, 0).astype(np.uint8))


def _samples(image: Image.Image, upload: bytes) -> NDArray[np.uint32]:
    """Return the samples [H, W, C] of a PNG in the range of its own depth."""
    pixels: NDArray[np.uint32] = np.asarray(image, np.uint32)
    bits = upload[_PNG_DEPTH_BYTE]
    if bits < _BYTE_BITS:
        pixels = pixels * (2**bits - 1) // 255
    elif image.mode not in depth.DEEP_MODES:
        pixels = pixels * 256 + _low_bytes(upload)
    return pixels.reshape(image.height, image.width, -1)


def _low_bytes(upload: bytes) -> NDArray[np.uint32]:
    """Return the lower bytes [H, W, 3] of 16-bit colours, which Pillow drops."""
    image = Image.open(io.BytesIO(upload), formats=("PNG",))
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
    low: NDArray[np.uint32] = np.asarray(image, np.uint32)
    return low
