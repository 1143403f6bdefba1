"""Zip archives, read from their directory, a record at a time: a million members take no memory.

Python's `zipfile` reads the whole directory and keeps an object for each member. The layout is
that of PKWARE's APPNOTE 6.3.10, 4.3 and 4.4.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.bulk.items import DEFLATED, STORED, Slice
from tasks.bulk.sources.found import (
    Found,
    ReadAt,
    Window,
    bounded,
    is_litter,
    refuse_climbing,
    shown,
)
from tasks.errors import (
    BadBulkError,
    DamagedMemberError,
    EncryptedMemberError,
    JobError,
    PictureTooLargeError,
    UnsupportedMemberError,
)

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_MEMBER = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MOST_COMMENT = 65_535
_ENCRYPTED, _UTF8 = 0x1, 0x800
_FULL = 0xFFFFFFFF
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075


@dataclass(frozen=True)
class _Directory:
    start: int
    size: int
    shift: int
    """How far all positions are off: the archive has something before it."""


@dataclass(frozen=True)
class _Member:
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    at: int
    header_bytes: int


def members(window: Window, *, most_bytes: int) -> Iterator[Found]:
    """Give the files of an archive; folders and what systems leave are passed over.

    Raises:
        BadBulkError: it is no zip archive, or damaged.
    """
    directory = _directory(window)
    for member in bounded(_members(window, directory)):
        if member.name.endswith(("/", "\\")) or is_litter(member.name):
            continue
        error = _why_not(member, most_bytes)
        at = window.start + directory.shift + member.at
        place = Slice(at, member.packed, member.method, member.header_bytes, member.crc)
        yield Found(member.name, error=error) if error else Found(member.name, slice=place)


def unpacked(read_at: ReadAt, place: Slice, *, most_bytes: int) -> bytes:
    """Return the picture in a member, which is unpacked no further than allowed.

    Raises:
        JobError: it is damaged, or larger than it said.
    """
    head = place.header_bytes + 64
    content = read_at(place.start, head + place.length)
    if len(content) < _LOCAL.size or content[:4] != SIGNATURES[0]:
        raise DamagedMemberError("the archive's member is not where its directory says")
    *_, name_bytes, extra_bytes = _LOCAL.unpack(content[: _LOCAL.size])
    begin = _LOCAL.size + name_bytes + extra_bytes
    packed = content[begin : begin + place.length]
    if begin > head:
        packed = read_at(place.start + begin, place.length)
    picture = packed if place.method == STORED else _inflated(packed, most_bytes)
    if zlib.crc32(picture) != place.crc:
        raise DamagedMemberError("the archive's member is damaged: its checksum is another one")
    return picture


def _inflated(packed: bytes, most_bytes: int) -> bytes:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        picture = inflate.decompress(packed, most_bytes + 1)
    except zlib.error as exc:
        raise DamagedMemberError(f"the archive's member cannot be unpacked: {exc}") from exc
    if len(picture) > most_bytes:
        raise PictureTooLargeError(f"the picture has more than {most_bytes} bytes, the limit")
    return picture


def _why_not(member: _Member, most_bytes: int) -> JobError | None:
    """Return why a member is not taken, as far as the directory tells."""
    if climbing := refuse_climbing(member.name):
        return climbing
    if member.flags & _ENCRYPTED:
        return EncryptedMemberError("the archive's member is encrypted; pack it without a password")
    if member.method not in {STORED, DEFLATED}:
        what = f"the archive's member is packed by method {member.method}"
        return UnsupportedMemberError(f"{what}; pack it with deflate, or only stored")
    if max(member.unpacked, member.packed) > most_bytes:
        return PictureTooLargeError(
            f"the picture is {member.unpacked} bytes; the limit is {most_bytes} bytes"
        )
    return None


def _directory(window: Window) -> _Directory:
    tail_at = max(0, window.size - _END.size - _MOST_COMMENT)
    tail = window.read(tail_at, window.size)
    place = tail.rfind(SIGNATURES[1])
    if place < 0 or place + _END.size > len(tail):
        raise BadBulkError("it begins like a zip archive and has no directory at its end")
    end_at = tail_at + place
    *_, size, start, _comment = _END.unpack(tail[place : place + _END.size])
    located = window.read(end_at - _LOCATOR.size, _LOCATOR.size) if end_at >= _LOCATOR.size else b""
    if located[:4] == b"PK\x06\x07":
        end_at = _LOCATOR.unpack(located)[2]
        told = _END_64.unpack(window.exactly(end_at, _END_64.size))
        if told[0] != b"PK\x06\x06":
            raise BadBulkError("the zip archive's directory is not where it should be")
        size, start = told[-2:]
        return _Directory(start, size, 0)
    shift = end_at - size - start
    if shift < 0:
        raise BadBulkError("the zip archive is cut off, or its directory is damaged")
    return _Directory(start + shift, size, shift)


def _members(window: Window, directory: _Directory) -> Iterator[_Member]:
    position, end = directory.start, directory.start + directory.size
    while position < end:
        head = _MEMBER.unpack(window.exactly(position, _MEMBER.size))
        if head[0] != b"PK\x01\x02":
            raise BadBulkError(f"the zip archive's directory is damaged at byte {position}")
        name_bytes, extra_bytes, comment_bytes = head[10:13]
        further = window.exactly(position + _MEMBER.size, name_bytes + extra_bytes)
        yield _member(head, further[:name_bytes], further[name_bytes:])
        position += _MEMBER.size + name_bytes + extra_bytes + comment_bytes


def _member(head: tuple[int, ...], name: bytes, extra: bytes) -> _Member:
    fields = dict(_extras(extra))
    unpacked_bytes, packed_bytes, at = head[9], head[8], head[16]
    large = fields.get(_ZIP64, b"")
    for is_full in (unpacked_bytes == _FULL, packed_bytes == _FULL, at == _FULL):
        if is_full and len(large) < 8:  # noqa: PLR2004 - a number of 64 bits
            raise BadBulkError("the zip archive's directory lacks a size that it announces")
    if unpacked_bytes == _FULL:
        unpacked_bytes, large = int.from_bytes(large[:8], "little"), large[8:]
    if packed_bytes == _FULL:
        packed_bytes, large = int.from_bytes(large[:8], "little"), large[8:]
    if at == _FULL:
        at = int.from_bytes(large[:8], "little")
    text = name.decode("utf-8", "backslashreplace") if head[3] & _UTF8 else shown(name)
    if _UNICODE_PATH in fields:
        text = fields[_UNICODE_PATH][5:].decode("utf-8", "backslashreplace")
    header_bytes = _LOCAL.size + len(name) + len(extra)
    return _Member(text, head[3], head[4], head[7], packed_bytes, unpacked_bytes, at, header_bytes)


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:  # noqa: PLR2004 - an id and a size of 16 bits each
        kind, size = struct.unpack("<2H", extra[:4])
        yield kind, extra[4 : 4 + size]
        extra = extra[4 + size :]
