"""PNG: pixels, profiles and texts that unpack to much, and chunks without end."""

import struct
import zlib

from chaos.hostile.cases import MOST_BYTES, SIDE, TOO_MANY, Case, filled

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _RGBA = 0, 2, 6
_PAETH = 4


def chunk(name: bytes, body: bytes = b"") -> bytes:
    """Return one chunk with its length and its check sum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header(width: int, height: int, *, depth: int = 8, colour: int = _RGB, laced: int = 0) -> bytes:
    """Return signature and header chunk."""
    fields = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, laced)
    return SIGNATURE + chunk(b"IHDR", fields)


def _rows(width: int, height: int, *, bytes_a_pixel: int, kind: int = 0) -> bytes:
    packer = zlib.compressobj(9)
    row = bytes((kind,)) + bytes(width * bytes_a_pixel)
    return b"".join(packer.compress(row) for _ in range(height)) + packer.flush()


def _deep(kind: int, laced: int) -> bytes:
    # With interlacing the passes' rows differ; the zeros are enough for all of them.
    rows = _rows(SIDE, SIDE + 200 * laced, bytes_a_pixel=8, kind=kind)
    head = header(SIDE, SIDE, depth=16, colour=_RGBA, laced=laced)
    return head + chunk(b"IDAT", rows) + chunk(b"IEND")


def _small(*before: bytes) -> bytes:
    pixels = chunk(b"IDAT", zlib.compress(bytes(4 * 64)))
    return header(21, 4) + b"".join(before) + pixels + chunk(b"IEND")


def _zeros(size: int) -> bytes:
    packer, piece = zlib.compressobj(9), bytes(2**20)
    return b"".join(packer.compress(piece) for _ in range(size // 2**20)) + packer.flush()


def _more_than_pixels() -> bytes:
    return header(21, 4) + chunk(b"IDAT", _zeros(4 * 2**30)) + chunk(b"IEND")


def _texts(name: bytes, head: bytes, count: int) -> bytes:
    body = head + _zeros(2**20 - 2**10 if count > 1 else 2**30)
    return _small(*[chunk(name, body)] * count)


def _many(piece: bytes) -> bytes:
    pixels = chunk(b"IDAT", zlib.compress(bytes(4 * 64)))
    return filled(header(21, 4), piece, pixels + chunk(b"IEND"))


def _frames() -> bytes:
    # Source: PNG Third Edition, 11.3.6, animation control and frame control.
    control = chunk(b"acTL", struct.pack(">II", 100_000, 0))
    fields = struct.pack(">IIIIIHHBB", 0, 21, 4, 0, 0, 1, 1, 0, 0)
    first = chunk(b"fcTL", fields) + chunk(b"IDAT", zlib.compress(bytes(4 * 64)))
    frame = chunk(b"fcTL", fields) + chunk(b"fdAT", b"\0\0\0\1" + zlib.compress(bytes(4 * 64)))
    return filled(header(21, 4) + control + first, frame, chunk(b"IEND"))[:MOST_BYTES]


BOMBS = (
    Case(
        "PNG 2^31-1 wide", lambda: header(2**31 - 1, 1) + chunk(b"IDAT") + chunk(b"IEND"), TOO_MANY
    ),
    Case("PNG 0 wide", lambda: header(0, 5) + chunk(b"IDAT") + chunk(b"IEND")),
    Case("PNG 40 megapixels of 16-bit RGBA", lambda: _deep(0, 0)),
    Case("PNG 40 megapixels of 16-bit RGBA, filtered", lambda: _deep(_PAETH, 0)),
    Case("PNG 40 megapixels of 16-bit RGBA, interlaced", lambda: _deep(0, 1)),
    Case("PNG 4 GiB behind the last pixel", _more_than_pixels),
    Case("PNG a profile of 1 GiB", lambda: _texts(b"iCCP", b"name\0\0", 1)),
    Case("PNG a text of 1 GiB", lambda: _texts(b"zTXt", b"name\0\0", 1)),
    Case("PNG an international text of 1 GiB", lambda: _texts(b"iTXt", b"name\0\1\0\0\0", 1)),
    Case("PNG 1,000 texts of 1 MiB", lambda: _texts(b"zTXt", b"name\0\0", 1000)),
    Case("PNG chunks without end", lambda: _many(chunk(b"abCd"))),
    Case("PNG texts without end", lambda: _many(chunk(b"tEXt", b"a\0"))),
    Case("PNG empty pixel chunks", lambda: filled(header(21, 4), chunk(b"IDAT"), chunk(b"IEND"))),
    Case("PNG palettes without end", lambda: _many(chunk(b"PLTE", bytes(3)))),
    Case("PNG a chunk of 2^31-1 bytes", lambda: _small(struct.pack(">I", 2**31 - 1) + b"zTXt")),
    Case("PNG frames without end", _frames),
)
