"""Where the pieces of a picture file lie: chunks, segments, boxes, blocks, entries, fields.

Only good enough to break a file at the places where its reader trusts it; what cannot be followed
ends the list.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

_CONTAINERS = frozenset({b"meta", b"iprp", b"ipco", b"iref", b"moov", b"trak", b"mdia", b"minf"})
_FULL = frozenset({b"meta", b"iref"})
_FILL, _SCAN, _RESTARTS = 0xFF, 0xDA, range(0xD0, 0xD8)
_PNG, _MOST = b"\x89PNG\r\n\x1a\n", 400


@dataclass(frozen=True)
class Piece:
    """A piece of a file.

    Attributes:
        start: Its first byte.
        end: The first byte behind it.
        length_at: Where a number stands that says how long it, or what it points to, is.
        length_format: How that number is written, for `struct`.
    """

    start: int
    end: int
    length_at: int
    length_format: str


def pieces(upload: bytes) -> list[Piece]:
    """Return the pieces of a file, at most some hundreds; none of a file of no known kind."""
    found: list[Piece] = []
    try:
        for piece in _followed(upload):
            found.append(piece)
            if len(found) >= _MOST:
                break
    except (struct.error, IndexError):
        # It ends, or is broken already, in the middle of a piece.
        return found
    return found


def _followed(upload: bytes) -> Iterator[Piece]:
    for mark, follow in _READERS.items():
        if upload.startswith(mark):
            return follow(upload)
    return _boxes(upload, 0, len(upload)) if upload[4:8] == b"ftyp" else iter(())


def _chunks(
    upload: bytes, *, at: int, length_format: str, before_name: bool, behind: int
) -> Iterator[Piece]:
    while at + 8 <= len(upload):
        length_at = at if before_name else at + 4
        (length,) = struct.unpack_from(length_format, upload, length_at)
        end = min(at + 8 + length + length * (not before_name) % 2 + behind, len(upload))
        yield Piece(at, end, length_at, length_format)
        at = end


def _segments(upload: bytes) -> Iterator[Piece]:
    at = 2
    while upload[at] == _FILL:
        (length,) = struct.unpack_from(">H", upload, at + 2)
        yield Piece(at, at + 2 + length, at + 2, ">H")
        at += 2 + length
        if upload[at - 2 - length + 1] == _SCAN:
            # The coded pixels reach to the next marker that is no stuffing and no restart.
            while not (upload[at] == _FILL and upload[at + 1] not in {0, *_RESTARTS}):
                at += 1


def _boxes(upload: bytes, at: int, until: int) -> Iterator[Piece]:
    while at + 8 <= until:
        (length,) = struct.unpack_from(">I", upload, at)
        end = min(at + max(length, 8), until)
        yield Piece(at, end, at, ">I")
        name = upload[at + 4 : at + 8]
        if name in _CONTAINERS:
            yield from _boxes(upload, at + (12 if name in _FULL else 8), end)
        at = end


def _blocks(upload: bytes) -> Iterator[Piece]:
    def palette(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    at = 13 + palette(upload[10])
    yield Piece(6, at, 6, "<H")
    while upload[at] in b"!,":
        start = at
        at += 2 if upload[at] == ord("!") else 11 + palette(upload[at + 9])
        while upload[at]:
            at += 1 + upload[at]
        at += 1
        yield Piece(start, at, start + (2 if upload[start] == ord("!") else 5), "<B")


def _fields(upload: bytes) -> Iterator[Piece]:
    for at in (2, 10, 14, 18, 22, 30, 34, 38, 42, 46, 50):
        yield Piece(at, at + 4, at, "<I")
    yield from (Piece(at, at + 2, at, "<H") for at in (26, 28))


def _entries(upload: bytes) -> Iterator[Piece]:
    order = "<" if upload[:1] == b"I" else ">"
    (at,) = struct.unpack_from(f"{order}I", upload, 4)
    (count,) = struct.unpack_from(f"{order}H", upload, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        yield Piece(entry, entry + 12, entry + 4, f"{order}I")
        yield Piece(entry, entry + 12, entry + 8, f"{order}I")
        yield Piece(entry, entry + 12, entry + 2, f"{order}H")


_READERS: dict[bytes, Callable[[bytes], Iterator[Piece]]] = {
    _PNG: partial(_chunks, at=len(_PNG), length_format=">I", before_name=True, behind=4),
    b"RIFF": partial(_chunks, at=12, length_format="<I", before_name=False, behind=0),
    b"\xff\xd8": _segments,
    b"GIF8": _blocks,
    b"BM": _fields,
    b"II": _entries,
    b"MM": _entries,
}
