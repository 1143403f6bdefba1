"""What is refused on the header alone."""

import struct
from collections.abc import Callable

import pytest
from PIL import Image

from model_store.errors import NotAnImageError, TooManyPixelsError, TruncatedImageError
from model_store.pictures.headers import ACCEPTED_FORMATS, ImageHeader, read_header

Encoded = Callable[..., bytes]


@pytest.mark.parametrize("format", ACCEPTED_FORMATS)
def test_every_accepted_format_is_recognised(
    encoded: Encoded, quarters: Image.Image, format: str
) -> None:
    """The header gives format and stored size."""
    assert ImageHeader(format, 96, 64) == read_header(encoded(quarters, format))


def test_a_cameras_double_picture_is_a_jpeg(encoded: Encoded, quarters: Image.Image) -> None:
    """Files with a second picture inside are what phones write."""
    upload = encoded(quarters, "MPO", save_all=True, append_images=[quarters])

    assert read_header(upload).format == "JPEG"


@pytest.mark.parametrize("upload", [b"", b"hello", b"<svg/>", b"%PDF-1.7"])
def test_what_is_no_picture_is_refused(upload: bytes) -> None:
    """The message lists what is accepted."""
    with pytest.raises(NotAnImageError, match="accepted are JPEG, PNG"):
        read_header(upload)


@pytest.mark.parametrize("upload", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0"])
def test_the_beginning_of_a_picture_is_cut_off(upload: bytes) -> None:
    """It is known for what it was going to be."""
    with pytest.raises(TruncatedImageError, match="cut off or damaged"):
        read_header(upload)


def test_a_format_outside_the_list_is_refused(encoded: Encoded, quarters: Image.Image) -> None:
    """Pillow can read many more formats, whose decoders strangers need not reach."""
    with pytest.raises(NotAnImageError):
        read_header(encoded(quarters, "ICO"))


def test_the_pixel_limit_is_the_last_that_passes(encoded: Encoded, quarters: Image.Image) -> None:
    """Width times height may reach the limit and not pass it."""
    upload = encoded(quarters)

    assert read_header(upload, max_pixels=96 * 64).width == 96
    with pytest.raises(TooManyPixelsError, match="96 x 64 pixels; the limit is 6143"):
        read_header(upload, max_pixels=96 * 64 - 1)


def test_a_small_file_with_a_huge_frame_is_refused() -> None:
    """A GIF's frame may be larger than the size at its start; no memory is taken for it."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 40_000, 40_000, 0) + b"\x02\x02\x44\x01\x00;"

    with pytest.raises(TooManyPixelsError, match="has more than 40000000 pixels, the limit"):
        read_header(screen + frame)
