"""Bitmaps whose headers are short, old, or not there."""

import struct

import numpy as np
import pytest

from model_store.errors import NotAnImageError, TruncatedImageError, UnsupportedImageFormatError
from model_store.pictures import bmp as headers
from model_store.pictures.decoding import decode
from model_store.pictures.headers import read_header
from tests.pictures import bmp
from tests.pictures.bmp import Bmp
from tests.pictures.layouts import ramp

GREYS = tuple((level,) * 3 for level in range(16))


@pytest.mark.parametrize("kept", [18, 27, 30, 40, 52])
def test_a_header_that_is_cut_off_is_damage(kept: int) -> None:
    """Nothing is read beyond the end of the upload."""
    upload = Bmp(24).write(ramp(1, 24)[..., 0])

    with pytest.raises(TruncatedImageError, match="cut off or damaged"):
        read_header(upload[:kept])


@pytest.mark.parametrize(
    "upload", [b"BM", b"BMW is a make of cars, and this is a text about them. " * 3]
)
def test_two_letters_make_no_bitmap(upload: bytes) -> None:
    """The header after them has to be one that is known."""
    with pytest.raises(NotAnImageError, match="is not a picture"):
        read_header(upload)


def test_only_a_bitmap_is_mended() -> None:
    """The same bytes under another name are left as they are."""
    upload = Bmp(4, GREYS).write(ramp(1, 4)[..., 0])
    other = b"XX" + upload[2:]

    assert headers.mended(upload) != upload
    assert headers.mended(other) is other


def test_masks_of_no_bitmap_are_not_looked_at() -> None:
    """The same bytes under another name are no bitmap of 16 bits with alpha."""
    masks = (0x7C00, 0x3E0, 0x1F, 0x8000)
    upload = Bmp(16, masks=masks, header=bmp.V4).write(ramp(1, 16)[..., 0])

    with pytest.raises(UnsupportedImageFormatError, match="0x8000"):
        read_header(upload)
    with pytest.raises(NotAnImageError):
        read_header(b"XX" + upload[2:])


def test_run_lengths_of_no_bitmap_are_not_counted() -> None:
    """What stands where they would be announced means nothing in another file."""
    text = bytearray(b"BM" + b"-" * 98)
    text[30:34] = struct.pack("<I", bmp.RLE8)

    with pytest.raises(NotAnImageError):
        read_header(bytes(text))


def test_colours_of_the_oldest_header_are_no_compression() -> None:
    """It ends before the place where later ones announce run lengths."""
    palette = [(0, 1, 200), (0, 1, 9), (90, 0, 0), *[(7, 8, 9)] * 253]
    stored = ramp(1, 8)[..., 0] % 3
    upload = Bmp(8, tuple(palette), header=bmp.CORE).write(stored)
    assert upload[30:34] == struct.pack("<I", bmp.RLE8)

    shown = np.asarray(decode(upload))

    assert (shown == np.array(palette, np.uint8)[stored]).all()
