"""PNG: its chunks, without unpacking any. Source: PNG Specification (Third Edition), 5.3."""

import struct
from collections.abc import Iterator

MARK = b"\x89PNG\r\n\x1a\n"
PIXELS = b"IDAT"
_LENGTH_AND_NAME, _CHUNK_BYTES = ">I4s", 12


def chunks(upload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the name and body of each chunk up to the first that has pixels."""
    place, name = len(MARK), b""
    while name != PIXELS and place + _CHUNK_BYTES <= len(upload):
        length, name = struct.unpack_from(_LENGTH_AND_NAME, upload, place)
        yield name, upload[place + 8 : place + 8 + length]
        place += _CHUNK_BYTES + length
