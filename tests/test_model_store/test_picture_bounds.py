"""Small files that would make a decoder work for minutes are refused before it sees them."""

import struct

import pytest

from model_store.errors import (
    ImageError,
    NotAnImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageFormatError,
)
from model_store.pictures import bounds
from model_store.pictures.decoding import decode
from model_store.pictures.headers import read_header
from tests.pictures import bmp, png, tiff
from tests.pictures.files import blocks, encoded, jpeg, picture
from tests.pictures.layouts import ramp

# A scan of one component that has no coefficients: its header, and nothing after it.
EMPTY_SCAN = b"\xff\xda\0\x08\x01\x01\0\x01\x01\0"


def _with_scans(n: int) -> bytes:
    upload = jpeg(picture(blocks()), progressive=True)
    return upload[:-2] + EMPTY_SCAN * n + upload[-2:]


def test_scans_without_end_are_refused() -> None:
    """10,000 that change nothing took 20 s of a worker."""
    assert read_header(_with_scans(50)).format == "JPEG"
    with pytest.raises(UnsupportedImageFormatError, match="more than 100 scans"):
        read_header(_with_scans(bounds.MOST_SCANS))


def test_scans_are_counted_behind_a_false_end() -> None:
    """The bytes of an end inside another segment do not hide what comes after it."""
    upload = jpeg(picture(blocks()), progressive=True)
    comment = b"\xff\xfe\0\x06\xff\xd9\xff\xd9"

    with pytest.raises(UnsupportedImageFormatError, match="scans"):
        read_header(upload[:-2] + comment + EMPTY_SCAN * bounds.MOST_SCANS + upload[-2:])


def test_scans_of_what_lies_behind_the_picture_do_not_count() -> None:
    """A film behind a motion photo has such bytes by chance."""
    upload = jpeg(picture(blocks()))

    assert read_header(upload + EMPTY_SCAN * 20_000).format == "JPEG"


def test_other_segments_between_scans_are_no_scans() -> None:
    """A progressive file has new tables before most of its scans."""
    upload = jpeg(picture(blocks()), progressive=True)
    comments = b"\xff\xfe\0\x03-" * (bounds.MOST_SCANS + 1)

    assert read_header(upload[:-2] + comments + upload[-2:]).format == "JPEG"


@pytest.mark.parametrize("piece", [b"\xff\xe1\0\x08Exif\0\0", b"\xff\xe7\0\x02", b"\xff"])
def test_segments_without_end_are_refused(piece: bytes) -> None:
    """EXIF data in small pieces took the API a minute, filling bytes three seconds."""
    upload = jpeg(picture(blocks()))

    with pytest.raises(UnsupportedImageFormatError, match="more than 2000 segments"):
        read_header(upload[:2] + piece * bounds.MOST_SEGMENTS + upload[2:])


def test_chunks_without_end_are_refused() -> None:
    """830,000 empty ones took the API 97 MiB."""
    many = [(b"prVt", b"")] * bounds.MOST_CHUNKS
    samples = ramp(1, 8)

    assert read_header(png.write(samples, png.GREY, 8, chunks=many[:1000])).format == "PNG"
    with pytest.raises(UnsupportedImageFormatError, match="more than 2000 chunks"):
        read_header(png.write(samples, png.GREY, 8, chunks=many))


@pytest.mark.parametrize(
    "comments", [b"!\xfe" + b"\x01-" * 20_001 + b"\0", (b"!\xfe\x01-\0") * 20_001]
)
def test_comments_without_end_are_refused(comments: bytes) -> None:
    """One of 10 MB in pieces of a byte took the API 430 MiB."""
    upload = encoded(picture(blocks()), "GIF")
    colours = 13 + (3 << (upload[10] & 7) + 1)

    with pytest.raises(UnsupportedImageFormatError, match="more than 20000 blocks"):
        read_header(upload[:colours] + comments + upload[colours:])


def test_comments_are_counted_without_a_table_of_colours() -> None:
    """A GIF need not have one for all its frames."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)

    with pytest.raises(UnsupportedImageFormatError, match="more than 20000 blocks"):
        read_header(screen + (b"!\xfe\x01-\0") * 20_001)


def test_a_comment_that_is_cut_off_is_damage() -> None:
    """It ends where the file does."""
    with pytest.raises(TruncatedImageError):
        read_header(b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + b"!\xfe\xff----")


@pytest.mark.parametrize("upload", [bytes(100_000), b"\0\0\0\x08abcd" * 20_000])
def test_pieces_of_what_is_no_picture_are_not_counted(upload: bytes) -> None:
    """It is not a picture, whatever it would be in one."""
    with pytest.raises(NotAnImageError, match="is not a picture"):
        read_header(upload)


def test_a_large_bitmap_of_run_lengths_is_refused() -> None:
    """They are unpacked a byte at a time: 40 megapixels took four seconds in 26 kB."""
    upload = bytearray(
        bmp.Bmp(8, ((0, 0, 0),) * 256, compression=bmp.RLE8).write(ramp(1, 8)[..., 0])
    )
    assert read_header(bytes(upload)).format == "BMP"

    upload[18:26] = struct.pack("<ii", 2001, 2000)
    with pytest.raises(TooManyPixelsError, match="4002000 pixels in run lengths"):
        read_header(bytes(upload))


def test_a_frame_that_is_wiped_takes_no_memory() -> None:
    """Pillow makes room for what is under such a frame before it tells its size: 4 GiB."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    wiped = b"!\xf9\x04\x08\0\0\0\0"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0) + b"\x02\x02\x44\x01\0;"

    with pytest.raises(TooManyPixelsError):
        read_header(screen + wiped + frame)


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        (_box(b"iloc", bytes(bounds.MOST_LIST_BYTES + 1)), "bytes of lists"),
        (_box(b"free", b"") * (bounds.MOST_BOXES + 1), "boxes"),
        (_box(b"iprp", _box(b"ipco", _box(b"free", b"") * bounds.MOST_BOXES + bytes(8))), "boxes"),
        (_box(b"iprp", bytes(bounds.MOST_PROPERTY_BYTES + 1)), "bytes of properties"),
    ],
)
@pytest.mark.parametrize("brand", [b"avif", b"heic"])
def test_lists_without_end_are_refused(meta: bytes, said: str, brand: bytes) -> None:
    """A million places of items took the API a minute."""
    upload = _box(b"ftyp", brand + bytes(4) + brand) + _box(b"meta", bytes(4) + meta)

    with pytest.raises(UnsupportedImageFormatError, match=f"more than .* {said}"):
        read_header(upload)


@pytest.mark.parametrize("box", [b"mdat", b"free"])
def test_pixels_are_no_lists(box: bytes) -> None:
    """They are as large as they are; this file is cut off, and says so."""
    large = _box(box, bytes(bounds.MOST_LIST_BYTES + 1))

    with pytest.raises(TruncatedImageError):
        read_header(_box(b"ftyp", b"avif" + bytes(4) + b"avif") + large)


def test_pixels_inside_the_lists_are_no_lists() -> None:
    """Small pictures have theirs there."""
    meta = bytes(4) + _box(b"idat", bytes(bounds.MOST_PROPERTY_BYTES + 1))

    with pytest.raises(TruncatedImageError):
        read_header(_box(b"ftyp", b"avif" + bytes(4) + b"avif") + _box(b"meta", meta))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("text", [b"E\xf8if\0", b"mime\0\xff\0"])
def test_a_part_without_a_proper_name_is_damage(version: int, text: bytes) -> None:
    """It ended the process that asked pi-heif for it."""
    item = bytes((version, 0, 0, 0)) + bytes(2 * version - 2) + bytes(2) + text
    items = _box(b"iinf", bytes(4) + b"\0\x01" + _box(b"infe", item))
    upload = _box(b"ftyp", b"heic" + bytes(4) + b"heic") + _box(b"meta", bytes(4) + items)

    with pytest.raises(TruncatedImageError, match="a part of it has no name"):
        read_header(upload)


def test_a_film_of_too_many_pictures_is_refused() -> None:
    """The tables of an animation are lists as well."""
    moov = _box(b"moov", bytes(bounds.MOST_LIST_BYTES + 1))

    with pytest.raises(UnsupportedImageFormatError, match="bytes of lists"):
        read_header(_box(b"ftyp", b"avis" + bytes(4) + b"avis") + moov)


def test_a_tag_that_nobody_can_read_is_damage() -> None:
    """Pillow lists it among the tags, and fails when it is asked for it."""
    file = tiff.Tiff(photometric=tiff.BLACK_IS_ZERO, tags=((262, tiff.SHORT, (1,) * 5),))

    with pytest.raises(ImageError):
        read_header(file.write(ramp(1, 8)))


def test_nothing_is_written_beside_the_error(capfd: pytest.CaptureFixture[str]) -> None:
    """What libtiff thinks of a broken file belongs into the refusal, not into the log."""
    upload = bytearray(tiff.Tiff(deflated=True).write(ramp(1, 8)))
    upload[40:60] = bytes(20)

    with pytest.raises(TruncatedImageError):
        decode(bytes(upload))

    assert capfd.readouterr() == ("", "")
