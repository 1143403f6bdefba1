"""Small pictures of flat blocks, and the encoders that write them."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from tests.pictures import reference
from tests.pictures.layouts import Layout

BLOCK = 16
BLOCKS = (3, 4)
HEIGHT, WIDTH = BLOCKS[0] * BLOCK, BLOCKS[1] * BLOCK
QUALITY = 95
# What quality 95 leaves of a flat block: two levels of brightness, and as much of each colour.
LOSSY_LEVELS = 4
# Pixels beside the edge of a block, which coding blurs.
EDGE = 5
LOSSLESS = frozenset({"PNG", "WEBP", "TIFF", "GIF"})
OPACITY = 102

Write = Callable[..., bytes]


def blocks(seed: int = 0, channels: int = 3) -> NDArray[np.uint8]:
    """Return a picture [48, 64, channels] of twelve flat colours."""
    colours = np.random.default_rng(seed).integers(16, 240, (*BLOCKS, channels), np.uint8)
    return colours.repeat(BLOCK, 0).repeat(BLOCK, 1)


def with_alpha(colours: NDArray[np.uint8], opacity: int = OPACITY) -> Image.Image:
    """Return colours as a Pillow image with the same alpha everywhere."""
    return picture(np.concatenate([colours, np.full((HEIGHT, WIDTH, 1), opacity, np.uint8)], 2))


def on_white(colours: NDArray[Any]) -> NDArray[Any]:
    """Return what colours from 0 to 1, or levels, with the alpha `OPACITY` show on white."""
    if colours.dtype == np.uint8:
        colours = colours / 255
    return reference.on_white(colours, np.full((HEIGHT, WIDTH, 1), OPACITY / 255))


def picture(array: NDArray[np.uint8]) -> Image.Image:
    """Return an array [H, W, C] as a Pillow image."""
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def inks(array: NDArray[np.uint8]) -> Image.Image:
    """Return an array [H, W, 4] as a Pillow image of the mode CMYK."""
    return Image.frombytes("CMYK", (array.shape[1], array.shape[0]), array.tobytes())


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return a file that Pillow writes."""
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def heic(image: Image.Image, **options: Any) -> bytes:
    """Return a HEIC file."""
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=QUALITY, **options)
    return stream.getvalue()


def deep_heic(array: NDArray[np.uint8], *, bits: int, **options: Any) -> bytes:
    """Return a HEIC file of 10 or 12 bits."""
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    stream = io.BytesIO()
    samples = (array.astype(np.uint16) * 257).tobytes()
    file = pillow_heif.from_bytes(mode="RGB;16", size=(WIDTH, HEIGHT), data=samples)
    file.save(stream, quality=QUALITY, **options)
    return stream.getvalue()


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """Return a JPEG whose colours have as many samples as its brightness, unless told otherwise."""
    return encoded(image, "JPEG", **({"quality": QUALITY, "subsampling": 0} | options))


def avif(image: Image.Image, **options: Any) -> bytes:
    """Return an AVIF, likewise."""
    return encoded(image, "AVIF", **({"quality": QUALITY, "subsampling": "4:4:4"} | options))


WRITERS: dict[str, Write] = {
    "JPEG": jpeg,
    "PNG": lambda image, **options: encoded(image, "PNG", **options),
    "WEBP": lambda image, **options: encoded(image, "WEBP", lossless=True, exact=True, **options),
    "TIFF": lambda image, **options: encoded(image, "TIFF", **options),
    "AVIF": avif,
    "HEIC": heic,
}


def layout(
    format: str, model: str, variety: str, upload: bytes, colours: NDArray[Any] | None, **more: Any
) -> Layout:
    """Return a file of flat blocks as a layout, with the tolerance of its format.

    Colours are levels, or from 0 to 1.
    """
    if colours is not None and colours.dtype != np.uint8:
        colours = reference.levels(colours)
    usual = {"depth": "8", "tolerance": 1} if format in LOSSLESS else LOSSY
    return Layout(
        format=format, model=model, variety=variety, upload=upload, colours=colours, **usual | more
    )


LOSSY: dict[str, Any] = {
    "depth": "8",
    "tolerance": LOSSY_LEVELS,
    "edge": EDGE,
    "why": f"lossy coding of flat blocks at quality {QUALITY}, {EDGE} pixels from their edges",
}
