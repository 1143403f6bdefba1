"""Tar archives, read header by header; compressed ones are unpacked to a file first, bounded.

Python's `tarfile` keeps every member that it has seen, and reads extended headers of any size into
memory. The layout is that of POSIX.1-2001 `pax`, with GNU's long names.
"""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Protocol

from tasks.bulk.items import Slice
from tasks.bulk.sources.found import (
    MOST_NAME_BYTES,
    PIECE_BYTES,
    Found,
    Window,
    bounded,
    is_litter,
    refuse_climbing,
    shown,
)
from tasks.errors import BadBulkError, JobError, PictureTooLargeError, UnsupportedMemberError

BLOCK_BYTES = 512
MAGIC_AT, MAGIC = 257, b"ustar"
PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""What compressed archives begin with, and who unpacks them."""
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
_MOST_EXTENDED_BYTES = 1_048_576
_REGULAR, _FOLDER = {b"0", b"\0", b"7"}, b"5"
_LONG_NAME, _LONG_LINK, _EXTENDED, _GLOBAL = b"L", b"K", b"x", b"g"


class Sink(Protocol):
    """What an archive is unpacked to."""

    def write(self, piece: bytes, /) -> int:
        """Write what comes next."""


def is_packed(head: bytes) -> bool:
    """Tell whether bytes begin as a compressed archive does."""
    return head.startswith(tuple(PACKED))


def is_plain(head: bytes) -> bool:
    """Tell whether bytes begin as an archive does that is not compressed."""
    return head[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC


def unpack(packed: Any, plain: Sink, *, most_bytes: int) -> int:
    """Write an archive as it is without its compression; returns its size in bytes.

    Raises:
        BadBulkError: it is damaged, or larger than allowed.
    """
    head = packed.read(8)
    packed.seek(0)
    opener = next(opens for magic, opens in PACKED.items() if head.startswith(magic))
    size = 0
    try:
        with opener(packed) as pieces:
            while piece := pieces.read(PIECE_BYTES):
                size += len(piece)
                if size > most_bytes:
                    raise BadBulkError(
                        f"the archive has more than {most_bytes} bytes when it is unpacked,"
                        " the limit; send it in several"
                    )
                plain.write(piece)
    except _DAMAGED as exc:
        raise BadBulkError(f"the archive cannot be unpacked: {exc}") from exc
    return size


def members(window: Window, *, most_bytes: int) -> Iterator[Found]:
    """Give the files of an archive; folders and what systems leave are passed over.

    Raises:
        BadBulkError: it is damaged.
    """
    position, told, headers = 0, dict[str, bytes](), bounded(count())
    while (header := window.read(position, BLOCK_BYTES)).strip(b"\0"):
        next(headers)
        size, kind = _checked(header, position), header[156:157]
        begin = position + BLOCK_BYTES
        position = begin + -(-size // BLOCK_BYTES) * BLOCK_BYTES
        if kind in {_LONG_NAME, _EXTENDED}:
            told |= _told(window, begin, size, kind)
            continue
        if kind in {_LONG_LINK, _GLOBAL}:
            continue
        size = _decimal(told["size"]) if "size" in told else size
        position = begin + -(-size // BLOCK_BYTES) * BLOCK_BYTES
        name = shown(told.get("path") or _name(header))
        told = {}
        if kind != _FOLDER and not name.endswith("/") and not is_litter(name):
            yield _found(window, name, kind, begin, size, most_bytes)
    if position > window.size:
        raise BadBulkError("the tar archive is cut off")


def _found(window: Window, name: str, kind: bytes, begin: int, size: int, most_bytes: int) -> Found:
    name = name.removeprefix("./")
    error: JobError | None = refuse_climbing(name)
    if not error and kind not in _REGULAR:
        error = UnsupportedMemberError("the archive's member is a link or a device, and no file")
    if not error and size > most_bytes:
        error = PictureTooLargeError(
            f"the picture is {size} bytes; the limit is {most_bytes} bytes"
        )
    if error:
        return Found(name, error=error)
    return Found(name, slice=Slice(window.start + begin, size))


def _checked(header: bytes, position: int) -> int:
    """Return the size that a header gives, if its checksum is right."""
    if len(header) < BLOCK_BYTES:
        raise BadBulkError("the tar archive is cut off")
    said = _number(header[148:156])
    blank = header[:148] + b" " * 8 + header[156:]
    if sum(blank) != said:
        raise BadBulkError(f"the tar archive is damaged at byte {position}")
    return _number(header[124:136])


def _number(field: bytes) -> int:
    """Return a number in octal, or in base 256 as GNU writes large ones."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    return _whole(field.strip(b" \0") or b"0", base=8)


def _decimal(text: bytes) -> int:
    return _whole(text, base=10)


def _whole(digits: bytes, *, base: int) -> int:
    try:
        number = int(digits, base)
    except ValueError as exc:
        raise BadBulkError("the tar archive is damaged: a number of it is none") from exc
    if number < 0:
        raise BadBulkError("the tar archive is damaged: a size of it is negative")
    return number


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    is_posix = header[MAGIC_AT : MAGIC_AT + 6] == b"ustar\0"
    return prefix + b"/" + name if prefix and is_posix else name


def _told(window: Window, begin: int, size: int, kind: bytes) -> dict[str, bytes]:
    """Return what a record says of the member after it: its path, its size."""
    if size > _MOST_EXTENDED_BYTES:
        raise BadBulkError(f"the tar archive has a header of {size} bytes; none needs so many")
    text = window.exactly(begin, size)
    if kind == _LONG_NAME:
        return {"path": text.split(b"\0")[0][:MOST_NAME_BYTES]}
    return dict(_records(text))


def _records(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the records of an extended header: each has its length, a name and a value."""
    while text:
        digits, _, _ = text.partition(b" ")
        if not digits.isdigit() or not len(digits) < int(digits) <= len(text):
            raise BadBulkError("the tar archive is damaged: a header of it cannot be read")
        name, _, value = text[len(digits) + 1 : int(digits) - 1].partition(b"=")
        if name in {b"path", b"size"}:
            yield name.decode(), value
        text = text[int(digits) :]
