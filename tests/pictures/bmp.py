"""Bitmaps (BMP) written byte by byte: old and new headers, masks, palettes, run lengths.

Source: Microsoft's BITMAPCOREHEADER, BITMAPINFOHEADER and BITMAPV4HEADER.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.pictures.tiff import packed_bits

RAW, RLE8, RLE4, BITFIELDS = range(4)
CORE, INFO, V4, V5 = 12, 40, 108, 124
PIXELS_PER_METRE = 2835


@dataclass(frozen=True)
class Bmp:
    """How a picture's pixels are laid out in a file.

    Attributes:
        bits: Bits of each pixel.
        palette: Colours by number, each of red, green and blue.
        masks: The bits of red, green, blue and alpha; none where the header has none.
        header: The bytes of the header, which tell its kind.
    """

    bits: int
    palette: tuple[tuple[int, ...], ...] = ()
    masks: tuple[int, int, int, int] | None = None
    header: int = INFO
    top_down: bool = False
    compression: int = RAW

    def write(self, stored: NDArray[Any]) -> bytes:
        """Return the file of stored numbers [H, W]."""
        rows = stored if self.top_down else stored[::-1]
        is_packed = self.compression in (RLE8, RLE4)
        coded = _run_lengths(rows, self.bits) if is_packed else _rows(rows, self.bits)
        table = b"".join(bytes((b, g, r)) + bytes(self.header != CORE) for r, g, b in self.palette)
        info = self._info(*stored.shape, coded_bytes=len(coded)) + table
        start = 14 + len(info)
        return b"BM" + struct.pack("<IHHI", start + len(coded), 0, 0, start) + info + coded

    def _info(self, height: int, width: int, *, coded_bytes: int) -> bytes:
        if self.header == CORE:
            return struct.pack("<IHHHH", CORE, width, height, 1, self.bits)
        size = (width, -height if self.top_down else height, 1, self.bits)
        compression = BITFIELDS if self.masks else self.compression
        resolution, colours = (PIXELS_PER_METRE, PIXELS_PER_METRE), (len(self.palette), 0)
        numbers = (self.header, *size, compression, coded_bytes, *resolution, *colours)
        info = struct.pack("<IiiHHIIiiII", *numbers)
        masks = struct.pack("<4I", *(self.masks or (0, 0, 0, 0)))
        if self.header > INFO:
            return (info + masks).ljust(self.header, b"\0")
        return info + masks[:12] if self.masks else info


def _rows(rows: NDArray[Any], bits: int) -> bytes:
    if bits in (8, 16, 24, 32):
        four = rows.astype("<u4").view(np.uint8).reshape(*rows.shape, 4)[..., : bits // 8]
        packed = four.reshape(len(rows), -1)
    else:
        packed = np.frombuffer(packed_bits(rows, bits), np.uint8).reshape(len(rows), -1)
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4))).tobytes()


def _run_lengths(rows: NDArray[Any], bits: int) -> bytes:
    """Return every pixel as a run of one, each row with its end."""
    coded = b""
    for row in rows:
        for value in row:
            coded += bytes((1, int(value) << (4 if bits == 4 else 0)))
        coded += b"\0\0"
    return coded + b"\0\1"
