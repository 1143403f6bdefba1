"""AVIF and HEIC: their boxes, without looking into any. Source: ISO/IEC 14496-12, 4.2."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

FILE_TYPE = b"ftyp"
_HEAD_BYTES, _LONG_HEAD_BYTES = 8, 16


@dataclass(frozen=True)
class Box:
    """A box by the places of its body, and its name."""

    name: bytes
    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """The bytes of the body."""
        return self.end - self.start


def is_made_of_boxes(upload: bytes) -> bool:
    """Say whether an upload begins as such files do."""
    return upload[4:8] == FILE_TYPE


def boxes(upload: bytes, start: int, end: int) -> Iterator[Box]:
    """Give the boxes between two places; the last one may reach further than it could."""
    while start + _HEAD_BYTES <= end:
        size, name = struct.unpack_from(">I4s", upload, start)
        head = _HEAD_BYTES
        if size == 1 and start + _LONG_HEAD_BYTES <= end:
            (size,) = struct.unpack_from(">Q", upload, start + _HEAD_BYTES)
            head = _LONG_HEAD_BYTES
        after = min(start + size, end) if size >= head else end
        yield Box(name, start + head, after)
        start = after
