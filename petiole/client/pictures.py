"""What a caller may call a picture, made into what is sent: bytes with a name, or an address.

Neither Pillow nor NumPy is imported before somebody gives a picture that is theirs.
"""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from petiole.client.errors import UnreadablePictureError

NAMELESS = "image"
GREY_AXES, COLOUR_AXES, CHANNELS = 2, 3, (3, 4)
PNG_MODES = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})
PNG_LEVEL = 1
"""Measured on 30 photographs: 0.4 of the time of level 6, and 1.03 of its bytes."""


@runtime_checkable
class PillowImage(Protocol):
    """What tells a `PIL.Image.Image` from other objects, without importing Pillow."""

    @property
    def mode(self) -> str:
        """How its pixels are kept."""

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Write it as `format`."""

    def getexif(self) -> Any:
        """Return its Exif."""


@runtime_checkable
class Array(Protocol):
    """An array of NumPy's, or what can be one: a tensor of PyTorch, TensorFlow or JAX."""

    def __array__(self) -> Any:
        """Return it as NumPy's."""


@runtime_checkable
class Readable(Protocol):
    """A file that is no path, such as a `zipfile.Path`: it is read when it is sent."""

    @property
    def name(self) -> str:
        """What it is called."""

    def read_bytes(self) -> bytes:
        """Return its bytes; raises OSError where that fails."""


Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | PillowImage | Array
"""A path or an address (`http://…`), an encoded picture, a file in an archive, an image of Pillow,
an array.

An array is uint8, [H, W] or [H, W, 3 or 4]: grey, RGB or RGBA.
"""


@dataclass(frozen=True)
class Upload:
    """An encoded picture and its name."""

    image: bytes
    filename: str


@dataclass(frozen=True)
class Address:
    """Where the service will fetch the picture."""

    url: str


def is_address(text: str) -> bool:
    """Tell whether a text is an address rather than a path."""
    return text.lower().startswith(("http://", "https://"))


def prepared(picture: Picture) -> Upload | Address:
    """Return what is sent for a picture; images and arrays are encoded without loss.

    Raises:
        UnreadablePictureError: it cannot be read or encoded; says why and what can.
    """
    if isinstance(picture, str) and is_address(picture):
        return Address(picture)
    if isinstance(picture, str | os.PathLike):
        return _read(Path(picture))
    if isinstance(picture, bytes | bytearray | memoryview):
        return Upload(bytes(picture), NAMELESS)
    if isinstance(picture, Readable):
        return _read(picture)
    if isinstance(picture, PillowImage):
        return Upload(_png_of(picture), NAMELESS)
    if isinstance(picture, Array):
        return Upload(_png_of(_image_of(picture.__array__())), NAMELESS)
    raise UnreadablePictureError(
        f"a {type(picture).__name__} is no picture; give a path, an http(s) address, bytes, an"
        " image of Pillow or an array"
    )


def _read(file: Readable) -> Upload:
    try:
        return Upload(file.read_bytes(), file.name)
    except (OSError, ValueError, KeyError) as exc:
        name = str(file) if isinstance(file, Path) else file.name
        reason = getattr(exc, "strerror", None) or exc
        raise UnreadablePictureError(f"{name!r} cannot be read: {reason}") from exc


def _png_of(image: Any) -> bytes:
    """Return an image as PNG, upright: its Exif, which may say that it is not, stays behind."""
    # Imported here: whoever has such an image has Pillow, nobody else needs it.
    from PIL import ImageOps  # noqa: PLC0415

    buffer = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode not in PNG_MODES:
            upright = upright.convert("RGB")
            upright.info.pop("icc_profile", None)
        upright.save(buffer, "PNG", compress_level=PNG_LEVEL)
    except (OSError, ValueError) as exc:
        raise UnreadablePictureError(f"the image cannot be encoded as PNG: {exc}") from exc
    return buffer.getvalue()


def _image_of(array: Any) -> Any:
    """Return an array as an image of Pillow.

    Raises:
        UnreadablePictureError: its type or shape is another one; says what to do.
    """
    if str(array.dtype) != "uint8":
        raise UnreadablePictureError(
            f"the array is {array.dtype}; give uint8 from 0 to 255, such as"
            " (array * 255).astype('uint8')"
        )
    shape = tuple(array.shape)
    is_grey = len(shape) == GREY_AXES or shape[GREY_AXES:] == (1,)
    is_colour = len(shape) == COLOUR_AXES and shape[-1] in CHANNELS
    if not (is_grey or is_colour) or 0 in shape:
        raise UnreadablePictureError(
            f"the array is {list(shape)}; give one picture, [H, W] or [H, W, 3 or 4], channels last"
        )
    try:
        from PIL import Image  # noqa: PLC0415 - as above
    except ImportError as exc:
        raise UnreadablePictureError(
            "an array is encoded with Pillow, which is not installed: pip install pillow"
        ) from exc
    return Image.fromarray(array.reshape(shape[:GREY_AXES]) if is_grey else array)
