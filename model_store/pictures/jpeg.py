"""JPEG: which of its processes a file uses. Source: ITU-T T.81, Annex B."""

from collections.abc import Iterator

from model_store.errors import ImageError, TruncatedImageError, UnsupportedImageFormatError

MARK, END = b"\xff\xd8\xff", b"\xff\xd9"
START_OF_SCAN = 0xDA
# Start of frame: all of 0xC0-0xCF but Huffman tables, reserved, and arithmetic conditioning.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_FILL = 0xFF
_ALONE = frozenset({0x01, *range(0xD0, 0xD8), _FILL})
_JPEG_LS = 0xF7
_DEPTH_BITS = 8


def refusal(upload: bytes) -> ImageError:
    """Return the error that says why Pillow does not open a JPEG."""
    for marker, segment in segments(upload):
        if marker == _JPEG_LS:
            return _unsupported("is of the kind JPEG-LS")
        if marker in _LOSSLESS:
            return _unsupported("is of the lossless process")
        if marker in _FRAMES and len(segment) and segment[0] != _DEPTH_BITS:
            return _unsupported(f"has {segment[0]} bits a channel")
    return TruncatedImageError(f"the JPEG of {len(upload)} bytes is cut off or damaged")


def has_pixels(upload: bytes) -> bool:
    """Say whether the headers are whole, so that a decoder can show what there is."""
    return any(marker == START_OF_SCAN for marker, _ in segments(upload))


def _unsupported(what: str) -> UnsupportedImageFormatError:
    return UnsupportedImageFormatError(f"the JPEG {what}; save it as a usual JPEG of 8 bits")


def segments(upload: bytes) -> Iterator[tuple[int, bytes]]:
    """Give each marker with its segment, up to the first scan; bytes that fill up are markers."""
    place, marker = 2, 0
    while marker != START_OF_SCAN and place + 4 <= len(upload) and upload[place] == _FILL:
        marker = upload[place + 1]
        length = 0 if marker in _ALONE else int.from_bytes(upload[place + 2 : place + 4], "big")
        yield marker, upload[place + 4 : place + 2 + length]
        place += 1 if marker == _FILL else 2 + length
