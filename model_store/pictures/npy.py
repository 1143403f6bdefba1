"""Pixels that a client has decoded itself, as the `.npy` file of a NumPy array [H, W, 3].

uint8 is a picture like any other, in sRGB. float32 is what a model's own preprocessing ends with,
and goes to that model as it is. The API reads and writes the header without NumPy.

Source: NEP 1, format version 1.0.
"""

import re
import struct
from dataclasses import dataclass

from PIL import Image

from model_store.errors import (
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageFormatError,
)

UINT8, FLOAT32 = "|u1", "<f4"
ITEM_BYTES = {UINT8: 1, FLOAT32: 4}
CHANNELS = 3
_BEGIN = b"\x93NUMPY\x01\x00"
_LENGTH = struct.Struct("<H")
_PREAMBLE_BYTES = len(_BEGIN) + _LENGTH.size
_ALIGNED_BYTES = 64
_HEADER = re.compile(
    rb"\{'descr': '(\|u1|<f4)', 'fortran_order': False,"
    rb" 'shape': \((\d{1,9}), (\d{1,9}), 3\), \} *\n"
)


@dataclass(frozen=True)
class Array:
    """What the header of an array [height, width, 3] says; its values begin at `offset`."""

    kind: str
    height: int
    width: int
    offset: int

    @property
    def size_bytes(self) -> int:
        """The bytes of the values."""
        return self.height * self.width * CHANNELS * ITEM_BYTES[self.kind]


def to_bytes(values: bytes, *, kind: str, height: int, width: int) -> bytes:
    """Return the file of an array [height, width, 3] with these values, in C order."""
    shape = (height, width, CHANNELS)
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(_PREAMBLE_BYTES + len(header) + 1) % _ALIGNED_BYTES) + b"\n"
    return _BEGIN + _LENGTH.pack(len(header)) + header + values


def read_header(upload: bytes, max_pixels: int) -> Array | None:
    """Return what the header of an array says; None for every upload that is no such array.

    Raises:
        TooManyPixelsError: height times width is over `max_pixels`.
        UnsupportedImageFormatError: it has no pixels.
        TruncatedImageError: it has more or fewer values than its header says.
    """
    if not upload.startswith(_BEGIN) or len(upload) < _PREAMBLE_BYTES:
        return None
    (length,) = _LENGTH.unpack_from(upload, len(_BEGIN))
    end = _PREAMBLE_BYTES + length
    found = _HEADER.fullmatch(upload[_PREAMBLE_BYTES:end])
    if found is None:
        return None
    array = Array(found[1].decode(), int(found[2]), int(found[3]), end)
    _check(array, len(upload) - end, max_pixels)
    return array


def image(upload: bytes, array: Array) -> Image.Image:
    """Return a uint8 array as a picture.

    Raises:
        UnsupportedImageFormatError: it is float32, of which only a model knows what it means.
    """
    if array.kind != UINT8:
        raise UnsupportedImageFormatError(
            "the array is float32, and that is no picture; send uint8 [height, width, 3]"
        )
    size, values = (array.width, array.height), memoryview(upload)[array.offset :]
    return Image.frombytes("RGB", size, values)


def _check(array: Array, size_bytes: int, max_pixels: int) -> None:
    shape = f"[{array.height}, {array.width}, {CHANNELS}]"
    pixels = array.height * array.width
    if not pixels:
        raise UnsupportedImageFormatError(f"the array {shape} has no pixels")
    if pixels > max_pixels:
        raise TooManyPixelsError(
            f"the array {shape} has {pixels} pixels; the limit is {max_pixels}; send a smaller one"
        )
    if size_bytes != array.size_bytes:
        raise TruncatedImageError(
            f"the array {shape} has {size_bytes} bytes of values; expected {array.size_bytes}"
        )
