"""TIFF: strips and tiles that overlap, directories without end, tags that claim much."""

import struct
import zlib
from collections.abc import Sequence

from chaos.hostile.cases import MOST_BYTES, SIDE, TOO_MANY, Case

_SHORT, _LONG = 3, 4
# Values that are not longer stand in the entry itself.
_INLINE_BYTES = 4
_LETTERS = {1: "B", 2: "B", 7: "B", _SHORT: "H", _LONG: "I"}
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
OFFSETS, SAMPLES, ROWS, COUNTS = 273, 277, 278, 279
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
_RAW, _FAX4, _LZW, _DEFLATE, _PACKBITS = 1, 4, 5, 8, 32773
_JPEG, _PREDICTOR = 7, 317

Entry = tuple[int, int, Sequence[int]]


def file(entries: Sequence[Entry], data: bytes = b"", *, following: int = 0) -> bytes:
    """Return a TIFF of one directory; the data lie behind the header, at offset 8."""
    start = 8 + len(data) + len(data) % 2
    place = start + 2 + 12 * len(entries) + 4
    table, further = b"", b""
    for tag, kind, values in sorted(entries):
        packed = struct.pack(f"<{len(values)}{_LETTERS[kind]}", *values)
        if len(packed) > _INLINE_BYTES:
            where = struct.pack("<I", place + len(further))
            further += packed + bytes(len(packed) % 2)
            packed = where
        table += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(entries)) + table + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", start) + data.ljust(start - 8, b"\0") + directory + further


def basics(width: int, height: int, compression: int, *, bits: int = 8) -> list[Entry]:
    """Return the tags that every grey picture has, without its strips."""
    return [
        (WIDTH, _LONG, [width]),
        (LENGTH, _LONG, [height]),
        (BITS, _SHORT, [bits]),
        (COMPRESSION, _SHORT, [compression]),
        (PHOTOMETRIC, _SHORT, [1]),
        (SAMPLES, _SHORT, [1]),
    ]


def _strips(width: int, height: int, compression: int, data: bytes, *, rows: int = 1) -> bytes:
    count = -(-height // rows)
    more: list[Entry] = [
        (ROWS, _LONG, [rows]),
        (OFFSETS, _LONG, [8] * count),
        (COUNTS, _LONG, [len(data)] * count),
    ]
    return file(basics(width, height, compression) + more, data)


def _tiles(size: int, tile: int, compression: int, data: bytes, *, count: int) -> bytes:
    more: list[Entry] = [
        (TILE_WIDTH, _LONG, [tile]),
        (TILE_LENGTH, _LONG, [tile]),
        (TILE_OFFSETS, _LONG, [8] * count),
        (TILE_COUNTS, _LONG, [len(data)] * count),
    ]
    return file(basics(size, size, compression) + more, data)


def _zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def _packed_bits(size: int) -> bytes:
    # A run of 128 zeros is two bytes.
    return b"\x81\0" * -(-size // 128)


def _directories(count: int, *, loop: bool) -> bytes:
    strip: list[Entry] = [(ROWS, _LONG, [4]), (OFFSETS, _LONG, [8]), (COUNTS, _LONG, [16])]
    first = file(basics(4, 4, _RAW) + strip, bytes(range(16)), following=0)
    start = len(first) + len(first) % 2
    chained = first[:-4] + struct.pack("<I", start)
    one = struct.pack("<HHHII", 1, WIDTH, _LONG, 1, 4)
    step = len(one) + 4
    last = start if loop else 0
    nexts = [start + (n + 1) * step for n in range(count - 1)] + [last]
    return chained.ljust(start, b"\0") + b"".join(one + struct.pack("<I", n) for n in nexts)


def _claims(tag: int, kind: int, count: int, place: int = 8) -> bytes:
    strip: list[Entry] = [(ROWS, _LONG, [4]), (OFFSETS, _LONG, [8]), (COUNTS, _LONG, [16])]
    whole = file([*basics(4, 4, _RAW), *strip, (tag, _LONG, [0])], bytes(range(16)))
    honest = struct.pack("<HHI", tag, _LONG, 1)
    return whole.replace(honest + bytes(4), struct.pack("<HHII", tag, kind, count, place))


def _many_tags(tag: int | None) -> bytes:
    strip: list[Entry] = [(ROWS, _LONG, [4]), (OFFSETS, _LONG, [8]), (COUNTS, _LONG, [16])]
    more = [(tag or 1000 + n, _LONG, [n]) for n in range(31_000)]
    return file([*basics(4, 4, _RAW), *strip, *more], bytes(range(16)))


def _large_tags() -> bytes:
    """Return a file whose 31,000 tags all are the same 9 MB."""
    data = bytes(MOST_BYTES - 900_000)
    strip: list[Entry] = [(ROWS, _LONG, [4]), (OFFSETS, _LONG, [8]), (COUNTS, _LONG, [16])]
    head = file(
        [*basics(4, 4, _RAW), *strip, *[(1000 + n, _LONG, [8]) for n in range(31_000)]], data
    )
    honest = struct.pack("<HI", _LONG, 1) + struct.pack("<I", 8)
    return head.replace(honest, struct.pack("<HII", 1, len(data), 8))


def _fax() -> bytes:
    # Vertical mode 0, one bit a row: each row is as the white one before it.
    data = b"\xff" * -(-SIDE // 8)
    more: list[Entry] = [(ROWS, _LONG, [SIDE]), (OFFSETS, _LONG, [8]), (COUNTS, _LONG, [len(data)])]
    return file(basics(SIDE, SIDE, _FAX4, bits=1) + more, data)


def _samples(count: int) -> bytes:
    entries = [each for each in basics(4, 4, _RAW) if each[0] not in {SAMPLES, BITS}]
    more: list[Entry] = [(SAMPLES, _SHORT, [count]), (BITS, _SHORT, [8] * count)]
    strip: list[Entry] = [(ROWS, _LONG, [4]), (OFFSETS, _LONG, [8]), (COUNTS, _LONG, [16])]
    return file(entries + more + strip, bytes(16))


BOMBS = (
    Case(
        "TIFF 2^32-1 x 2^32-1",
        lambda: _strips(2**32 - 1, 1, _RAW, b"x").replace(
            struct.pack("<HHII", LENGTH, _LONG, 1, 1),
            struct.pack("<HHII", LENGTH, _LONG, 1, 2**32 - 1),
        ),
        TOO_MANY,
    ),
    Case(
        "TIFF 40 megapixels of one strip",
        lambda: _strips(SIDE, SIDE, _DEFLATE, _zeros(SIDE**2), rows=SIDE),
    ),
    Case(
        "TIFF 40 megapixels of one strip, run lengths",
        lambda: _strips(SIDE, SIDE, _PACKBITS, _packed_bits(SIDE**2), rows=SIDE),
    ),
    Case("TIFF a fax of 40 megapixels", _fax),
    Case("TIFF 6,324 strips in one place", lambda: _strips(SIDE, SIDE, _DEFLATE, _zeros(SIDE))),
    Case(
        "TIFF 6,324 strips in one place that unpack to far more",
        lambda: _strips(SIDE, SIDE, _DEFLATE, _zeros(2**30)),
    ),
    Case(
        "TIFF 1,200,000 strips in one place", lambda: _strips(33, 1_200_000, _DEFLATE, _zeros(33))
    ),
    Case("TIFF 1,200,000 raw strips in one place", lambda: _strips(33, 1_200_000, _RAW, bytes(33))),
    Case(
        "TIFF tiles of 65,520 x 65,520", lambda: _tiles(16, 65520, _DEFLATE, _zeros(2**20), count=1)
    ),
    Case(
        "TIFF raw tiles of 65,520 x 65,520", lambda: _tiles(16, 65520, _RAW, bytes(2**10), count=1)
    ),
    Case("TIFF a tile of 2^31 x 2^31", lambda: _tiles(16, 2**31, _DEFLATE, _zeros(2**20), count=1)),
    Case(
        "TIFF tiles of 16 x 16 in one place",
        lambda: _tiles(SIDE, 16, _DEFLATE, _zeros(256), count=396**2),
    ),
    Case(
        "TIFF tiles that unpack to far more",
        lambda: _tiles(SIDE, 16, _DEFLATE, _zeros(2**20), count=396**2),
    ),
    Case("TIFF raw tiles of 1 x 1", lambda: _tiles(1100, 1, _RAW, b"x", count=1100**2)),
    Case("TIFF 65,535 directories", lambda: _directories(65535, loop=False)),
    Case("TIFF directories in a circle", lambda: _directories(3, loop=True)),
    Case(
        "TIFF a directory that is its own next one",
        lambda: file(basics(4, 4, _RAW), bytes(16), following=24),
    ),
    Case("TIFF a tag of 2^32-1 numbers", lambda: _claims(700, _LONG, 2**32 - 1)),
    Case("TIFF a tag of 2^32-1 bytes", lambda: _claims(700, 1, 2**32 - 1)),
    Case("TIFF 31,000 tags", lambda: _many_tags(None)),
    Case("TIFF one tag 64,000 times", lambda: _many_tags(270)),
    Case("TIFF 31,000 tags of the same 9 MB", _large_tags),
    Case("TIFF 2^16-1 samples a pixel", lambda: _samples(65535)),
    Case("TIFF an offset behind the end", lambda: b"II*\0" + b"\xff" * 4 + bytes(99)),
)
