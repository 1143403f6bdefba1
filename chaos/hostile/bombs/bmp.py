"""BMP: run lengths that unpack to much, and sizes below zero."""

import struct

from chaos.hostile.cases import SIDE, TOO_MANY, Case, filled

_RAW, _RLE8, _RLE4, _BITFIELDS = range(4)


def header(width: int, height: int, bits: int, kind: int, *, colours: int = 0) -> bytes:
    """Return both headers; sizes may be below zero."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, kind, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 4 * colours) + info


def _palette(colours: int) -> bytes:
    return b"".join(struct.pack("<I", 0x010203 * n % 2**24) for n in range(colours))


def _runs(kind: int, bits: int, row: bytes, *, side: int = SIDE) -> bytes:
    colours = 1 << bits
    return header(side, side, bits, kind, colours=colours) + _palette(colours) + row * side


def _single() -> bytes:
    return filled(header(SIDE, SIDE, 8, _RLE8, colours=256) + _palette(256), b"\x01\x07")


def _plain(width: int, height: int) -> bytes:
    return header(width, height, 24, _RAW) + bytes(4096)


_LONGEST = (SIDE // 255) * b"\xff\x11" + bytes((SIDE % 255, 0x11))

BOMBS = (
    Case("BMP runs of 4 bits, 40 megapixels", lambda: _runs(_RLE4, 4, _LONGEST + b"\0\0")),
    Case("BMP runs of 8 bits, 40 megapixels", lambda: _runs(_RLE8, 8, _LONGEST + b"\0\0")),
    Case("BMP runs of one pixel", _single),
    Case("BMP a pixel a row, 40 megapixels", lambda: _runs(_RLE8, 8, b"\x01\x07\0\0")),
    Case("BMP leaps over 40 megapixels", lambda: _runs(_RLE8, 8, b"\0\x02\x01\x01")),
    Case(
        "BMP runs of a width of 0",
        lambda: header(0, 9, 8, _RLE8, colours=256) + _palette(256) + b"\x01\x07\0\0",
    ),
    Case("BMP width below 0", lambda: _plain(-100, 100)),
    Case("BMP height below 0", lambda: _plain(30, -30)),
    Case("BMP the lowest height", lambda: _plain(1, -(2**31)), TOO_MANY),
    Case("BMP 2^31-1 x 2^31-1", lambda: _plain(2**31 - 1, 2**31 - 1), TOO_MANY),
    Case(
        "BMP 2^32-1 colours",
        lambda: header(9, 9, 8, _RAW, colours=0)[:46] + b"\xff" * 4 + bytes(4096),
    ),
    Case("BMP a header of 2^32-1 bytes", lambda: b"BM" + bytes(12) + b"\xff" * 4 + bytes(4096)),
)
