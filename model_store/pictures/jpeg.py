"""JPEG: which of its processes a file uses, and whether it has pixels. Source: ITU-T T.81, B."""

from collections.abc import Iterator
from dataclasses import dataclass

from model_store.errors import ImageError, TruncatedImageError, UnsupportedImageFormatError

MARK, END = b"\xff\xd8\xff", b"\xff\xd9"
START_OF_SCAN = 0xDA
# Start of frame: all of 0xC0-0xCF but Huffman tables, reserved, and arithmetic conditioning.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Hierarchical ones, and lossless ones with arithmetic coding; those of Huffman are decoded.
_NOT_DECODED = frozenset({0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
_FILL = 0xFF
_ALONE = frozenset({0x01, *range(0xD0, 0xD8), _FILL})
_JPEG_LS = 0xF7
_DEPTH_BITS = 8


@dataclass(frozen=True)
class Segment:
    """A marker and the places of what belongs to it; the last one may reach beyond the file."""

    marker: int
    start: int
    end: int


def check(upload: bytes) -> None:
    """Refuse what Pillow opens, and its decoder then does not know.

    Raises:
        UnsupportedImageFormatError: the file is of a process that nothing writes any more.
    """
    if any(segment.marker in _NOT_DECODED for segment in segments(upload)):
        raise _unsupported("is hierarchical, or lossless with arithmetic coding")


def refusal(upload: bytes) -> ImageError:
    """Return the error that says why Pillow does not open a JPEG."""
    for segment in segments(upload):
        if segment.marker == _JPEG_LS:
            return _unsupported("is of the kind JPEG-LS")
        depth_bits = upload[segment.start : segment.start + 1]
        if segment.marker in _FRAMES and depth_bits not in (b"", bytes((_DEPTH_BITS,))):
            return _unsupported(f"has {depth_bits[0]} bits a channel")
    return TruncatedImageError(f"the JPEG of {len(upload)} bytes is cut off or damaged")


def has_pixels(upload: bytes) -> bool:
    """Say whether a file goes on behind the head of its first scan."""
    return any(
        segment.marker == START_OF_SCAN and segment.end < len(upload)
        for segment in segments(upload)
    )


def segments(upload: bytes) -> Iterator[Segment]:
    """Give each marker up to the first scan; bytes that fill up are markers too."""
    place, marker = 2, 0
    while marker != START_OF_SCAN and place + 4 <= len(upload) and upload[place] == _FILL:
        marker = upload[place + 1]
        length = 0 if marker in _ALONE else int.from_bytes(upload[place + 2 : place + 4], "big")
        yield Segment(marker, place + 4, place + 2 + length)
        place += 1 if marker == _FILL else 2 + length


def _unsupported(what: str) -> UnsupportedImageFormatError:
    return UnsupportedImageFormatError(f"the JPEG {what}; save it as a usual JPEG of 8 bits")
