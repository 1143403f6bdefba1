"""PNG files written chunk by chunk, in every depth and kind of transparency.

Source: Portable Network Graphics Specification (Third Edition), W3C 2025.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.pictures.tiff import packed_bits

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
# Where each of the seven passes of Adam7 starts, and its steps: left, top, across, down.
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def write(
    samples: NDArray[Any],
    kind: int,
    bits: int,
    *,
    chunks: Sequence[tuple[bytes, bytes]] = (),
    interlaced: bool = False,
) -> bytes:
    """Return the file of samples [H, W, S]; `chunks` stand before the pixels."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    lines = b"".join(_lines(samples[y::down, x::across], bits) for x, y, across, down in passes)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, body)
        for name, body in (
            (b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b""),
        )
    )  # fmt: skip


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and check sum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _lines(samples: NDArray[Any], bits: int) -> bytes:
    """Return rows of packed samples, each after its filter's number, 0 for none."""
    rows = samples.reshape(len(samples), -1)
    if not rows.size:
        return b""
    if bits == 16:
        packed = rows.astype(">u2").view(np.uint8).reshape(len(rows), -1)
    else:
        packed = np.frombuffer(packed_bits(rows, bits), np.uint8).reshape(len(rows), -1)
    return np.pad(packed, ((0, 0), (1, 0))).tobytes()
