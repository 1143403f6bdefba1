"""What a small file may make a decoder do: pieces and passes, counted before any decoder sees it.

Each limit is far over what cameras and programs write, and far under what takes a second. Time and
memory that a decoder takes by the number of pixels are bounded by the number of pixels.
"""

import re
from collections.abc import Callable, Iterator

from model_store.errors import (
    ImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageFormatError,
)
from model_store.pictures import bmp, boxes, jpeg, png

# A 6,324 x 6,324 JPEG of 10,000 scans that change nothing takes 20 s in 738 kB; encoders write ten.
MOST_SCANS = 100
# EXIF data in 5,000 pieces are put together in as many copies; extended XMP has up to 300 pieces.
MOST_SEGMENTS = 2_000
# A PNG of 830,000 empty chunks takes 97 MiB before its first pixel.
MOST_CHUNKS = 2_000
# A comment of 10 MB takes 430 MiB in sub-blocks of one byte each.
MOST_SUB_BLOCKS = 20_000
# Run lengths are unpacked byte by byte in Python.
MOST_RUN_LENGTH_PIXELS = 4_000_000

_GIF_SCREEN_BYTES = 13
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FULL_BOX_BYTES = 4
_SAVE = "save it anew"


# A list of a million places takes libavif a minute; a photograph of 160 tiles has 8 kB of lists.
MOST_LIST_BYTES = 262_144
# Their colour profiles are among the properties.
MOST_PROPERTY_BYTES = 4_194_304
MOST_BOXES = 10_000

_PROPERTIES = (b"iprp", b"ipco")
_NOT_LISTS = (b"idat", *_PROPERTIES)


def check(upload: bytes) -> None:
    """Refuse a file whose pieces would take longer than its pixels.

    Raises:
        UnsupportedImageFormatError: it has more pieces than any program writes.
        TooManyPixelsError: a bitmap in run lengths is too large.
        TruncatedImageError: the parts of an AVIF or HEIC have no proper names.
    """
    for mark, most in _CHECKS.items():
        if upload.startswith(mark):
            most(upload)
    if boxes.is_made_of_boxes(upload):
        _boxes(upload)


def _jpeg(upload: bytes) -> None:
    _count("segments", jpeg.segments(upload), MOST_SEGMENTS)
    _count("scans", _scans(upload), MOST_SCANS)


def _png(upload: bytes) -> None:
    _count("chunks before its pixels", png.chunks(upload), MOST_CHUNKS)


def _gif(upload: bytes) -> None:
    _count("blocks before its pixels", _sub_blocks(upload), MOST_SUB_BLOCKS)


def _bmp(upload: bytes) -> None:
    if bmp.is_run_length(upload) and bmp.pixels(upload) > MOST_RUN_LENGTH_PIXELS:
        raise TooManyPixelsError(
            f"the BMP has {bmp.pixels(upload)} pixels in run lengths; the limit is "
            f"{MOST_RUN_LENGTH_PIXELS}; save it as PNG"
        )


def _boxes(upload: bytes) -> None:
    _count("boxes", boxes.boxes(upload, 0, len(upload)), MOST_BOXES)
    for box in boxes.boxes(upload, 0, len(upload)):
        if box.name == b"meta":
            _meta(upload, box.start + _FULL_BOX_BYTES, box.end)
        elif box.name == b"moov" and box.size_bytes > MOST_LIST_BYTES:
            raise _too_many("bytes of lists", MOST_LIST_BYTES)


def _meta(upload: bytes, start: int, end: int) -> None:
    """Check the lists of a still picture, and its properties, which lie two boxes deeper."""
    _count("boxes", boxes.boxes(upload, start, end), MOST_BOXES)
    for box in boxes.boxes(upload, start, end):
        if box.name not in _NOT_LISTS and box.size_bytes > MOST_LIST_BYTES:
            raise _too_many("bytes of lists", MOST_LIST_BYTES)
        if box.name == b"iinf":
            _items(upload, box)
        if box.name in _PROPERTIES:
            if box.size_bytes > MOST_PROPERTY_BYTES:
                raise _too_many("bytes of properties", MOST_PROPERTY_BYTES)
            _meta(upload, box.start, box.end)


def _items(upload: bytes, box: boxes.Box) -> None:
    """Check the texts that describe the parts of a picture, which pi-heif takes for UTF-8.

    One that was not ended the process.
    """
    count_bytes = 4 if upload[box.start : box.start + 1] > b"\0" else 2
    for entry in boxes.boxes(upload, box.start + _FULL_BOX_BYTES + count_bytes, box.end):
        id_bytes = 4 if upload[entry.start : entry.start + 1] > b"\x02" else 2
        texts = upload[entry.start + _FULL_BOX_BYTES + id_bytes + 2 : entry.end]
        try:
            texts[:4].decode("ascii")
            texts.decode("utf-8")
        except UnicodeDecodeError as exc:
            message = f"the picture of {len(upload)} bytes is damaged: a part of it has no name"
            raise TruncatedImageError(message) from exc


def _count(what: str, pieces: Iterator[object], most: int) -> None:
    if sum(1 for _, _ in zip(range(most + 1), pieces, strict=False)) > most:
        raise _too_many(what, most)


def _too_many(what: str, most: int) -> ImageError:
    return UnsupportedImageFormatError(
        f"the picture has more than {most} {what}, which no program writes; {_SAVE}"
    )


def _scans(upload: bytes) -> Iterator[int]:
    """Give the place of each scan of the first picture in a JPEG."""
    place = 2
    while found := _NEXT_MARKER.search(upload, place):
        start, marker = found.start(), upload[found.start() + 1]
        if marker == jpeg.END[1]:
            return
        if marker == jpeg.START_OF_SCAN:
            yield start
        place = start + 2 + int.from_bytes(upload[start + 2 : start + 4], "big")


def _sub_blocks(upload: bytes) -> Iterator[int]:
    """Give the place of each piece of what stands before the first picture of a GIF."""
    flags, place = upload[10:11], _GIF_SCREEN_BYTES
    if flags and flags[0] & 0x80:
        place += 3 << (flags[0] & 7) + 1
    while upload[place : place + 1] == b"!":
        place += 2
        while place < len(upload) and upload[place]:
            yield place
            place += upload[place] + 1
        yield place
        place += 1


_CHECKS: dict[bytes, Callable[[bytes], None]] = {
    jpeg.MARK: _jpeg,
    png.MARK: _png,
    b"GIF8": _gif,
    bmp.MARK: _bmp,
}
