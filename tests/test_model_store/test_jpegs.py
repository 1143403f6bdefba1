"""JPEGs of kinds that are not decoded: they are called by their kind, wherever it is told."""

import imagecodecs
import numpy as np
import pytest

from model_store.errors import TruncatedImageError, UnsupportedImageFormatError
from model_store.pictures import jpeg as headers
from model_store.pictures.headers import read_header
from tests.pictures.files import blocks, jpeg, picture

DEEP = imagecodecs.jpeg8_encode(blocks().astype(np.uint16) * 16, bitspersample=12)
LOSSLESS = imagecodecs.ljpeg_encode(blocks(1, 1)[..., 0])


def _filled(upload: bytes, frame: bytes) -> bytes:
    """Return a JPEG with bytes that fill up, and a marker that stands alone, before its frame."""
    place = upload.index(frame)
    return upload[:place] + b"\xff\x01\xff\xff\xff" + upload[place:]


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        (DEEP, "has 12 bits a channel"),
        (_filled(DEEP, b"\xff\xc1"), "has 12 bits a channel"),
        # Lossless with arithmetic coding, which nobody decodes; Huffman's is decoded.
        (
            LOSSLESS.replace(b"\xff\xc3", b"\xff\xcb", 1),
            "is hierarchical, or lossless with arithmetic coding",
        ),
        (imagecodecs.jpegls_encode(blocks()), "is of the kind JPEG-LS"),
    ],
    ids=["deep", "filled", "lossless", "JPEG-LS"],
)
def test_what_is_not_decoded_is_called_by_its_kind(upload: bytes, said: str) -> None:
    """And not cut off or damaged."""
    with pytest.raises(UnsupportedImageFormatError, match=said):
        read_header(upload)


def test_a_frame_behind_the_pixels_says_nothing() -> None:
    """It would be that of another picture, or of a film."""
    segments = list(headers.segments(jpeg(picture(blocks())) + DEEP[2:]))

    assert [segment.marker for segment in segments].count(headers.START_OF_SCAN) == 1
    assert segments[-1].marker == headers.START_OF_SCAN


def test_what_stands_between_segments_is_damage() -> None:
    """A marker begins with a byte of its own."""
    upload = jpeg(picture(blocks()))
    with pytest.raises(TruncatedImageError, match="cut off or damaged"):
        read_header(upload[:2] + b"\xff\xe7\0\x02" + bytes(20) + b"\0\xc3\0\x08\x0c")
