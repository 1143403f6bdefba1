"""What people really send: every way to store a picture, and what is no picture at all."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from model_store.errors import (
    ImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageFormatError,
)
from model_store.pictures import heif
from model_store.pictures.colour import to_srgb
from model_store.pictures.decoding import decode, decode_what_is_there
from model_store.pictures.headers import read_header
from tests.pictures import icc, other_files, table, tiff
from tests.pictures.files import WRITERS, avif, blocks, encoded, heic, jpeg, picture
from tests.pictures.other_files import OtherFile

Encoded = Callable[..., bytes]
OTHERS = tuple(other_files.all_files())


def test_every_layout_is_right_or_refused_by_name() -> None:
    """There is nothing in between: no wrong colours, no crash, no refusal that blames the file."""
    faults = [
        f"{one.layout.format} {one.layout.model} {one.layout.depth} {one.layout.alpha}"
        f" {one.layout.variety}: {one.answer}"
        for one in table.outcomes()
        if one.is_fault or "damaged" in one.answer or "not a picture" in one.answer
    ]

    assert faults == []


def test_the_document_is_the_table() -> None:
    """`python -m tests.pictures.table --write` writes it anew."""
    assert table.rendered() in table.DOCUMENT.read_text(encoding="utf-8")


def test_the_header_already_refuses_what_is_not_decoded() -> None:
    """So the API answers at once, and in the words that the worker would have."""
    for one in table.outcomes():
        if not one.is_right:
            with pytest.raises(ImageError) as refused:
                read_header(one.layout.upload)
            assert str(refused.value) == one.answer


@pytest.mark.parametrize("file", OTHERS, ids=[file.name for file in OTHERS])
def test_what_is_no_picture_is_called_by_its_name(file: OtherFile) -> None:
    """The refusal says what was sent, and not only what was not."""
    with pytest.raises(ImageError, match=file.called):
        read_header(file.upload)


def _grey(kind: tiff.Tiff, *samples: int) -> tuple[int, ...]:
    """Return the grey levels that a row of pixels is decoded to."""
    array = np.array(samples, np.uint64).reshape(1, -1, 1 + len(kind.extra))
    image = decode(kind.write(array))
    return tuple(image.getpixel((x, 0))[0] for x in range(image.width))


def test_white_of_twelve_bits_is_white() -> None:
    """It was 16 of 255, as if all greys had sixteen bits."""
    assert _grey(tiff.Tiff(bits=12), 0, 2048, 4095) == (0, 128, 255)


def test_zero_is_white_at_every_depth() -> None:
    """It was black at sixteen bits."""
    for bits in (1, 2, 4, 8, 12, 16):
        kind = tiff.Tiff(bits=bits, photometric=tiff.WHITE_IS_ZERO)
        assert _grey(kind, 0, kind.top) == (255, 0), bits


def test_grey_that_is_multiplied_with_alpha_is_decoded() -> None:
    """It was a traceback: grey 51 under an alpha of 102 is half a grey, on white 51 + 153."""
    assert _grey(tiff.Tiff(extra=(tiff.ASSOCIATED,)), 51, 102, 255, 255, 0, 0) == (204, 255, 255)


@pytest.mark.parametrize("photometric", [tiff.BLACK_IS_ZERO, tiff.RGB, tiff.CMYK])
def test_reversed_bits_are_no_damage(photometric: int) -> None:
    """They were called cut off or damaged wherever Pillow has no unpacker of its own for them."""
    channels = {tiff.BLACK_IS_ZERO: 1, tiff.RGB: 3, tiff.CMYK: 4}[photometric]
    stored = blocks(5, channels).astype(np.uint64)
    plain, reversed_ = (tiff.Tiff(photometric, fill=fill).write(stored) for fill in (1, 2))

    assert decode(plain).tobytes() == decode(reversed_).tobytes()


def test_planes_are_put_together() -> None:
    """A single channel stored as a plane was read with the wrong bits."""
    assert _grey(tiff.Tiff(bits=1, planar=2, photometric=tiff.WHITE_IS_ZERO), 0, 1, 0, 1) == (
        255,
        0,
        255,
        0,
    )


def test_a_profile_that_is_srgb_costs_nothing() -> None:
    """Most photographs have one, and computing with it would only round."""
    image = picture(blocks())
    image.info["icc_profile"] = icc.SRGB.profile()

    assert to_srgb(image) is image


def test_a_profile_of_black_and_white_says_nothing() -> None:
    """There is no grey whose light it could tell."""
    image = picture(blocks(1, 1)).convert("1")
    upload = encoded(image, "PNG", icc_profile=icc.grey_profile(1.0))

    assert decode(upload).tobytes() == image.convert("RGB").tobytes()


@pytest.mark.parametrize(
    "tag", [(254, tiff.LONG, (1,)), (330, tiff.LONG, (8, 8))], ids=["reduced", "with others"]
)
def test_a_small_tiff_and_one_with_others_beside_it_are_pictures(tag: tuple) -> None:  # type: ignore[type-arg]
    """Only what is small, and says where the large one is, stands for a raw picture."""
    upload = tiff.Tiff(photometric=tiff.RGB, tags=(tag,)).write(blocks().astype(np.uint64))

    assert np.array_equal(np.asarray(decode(upload)), blocks())


def test_a_refusal_names_planes() -> None:
    """They are what is wrong with this one."""
    with pytest.raises(UnsupportedImageFormatError, match="straight alpha, in planes; save it"):
        _grey(tiff.Tiff(extra=(tiff.STRAIGHT,), planar=2), 0, 255)


def test_signed_bytes_are_not_taken_for_unsigned_ones() -> None:
    """Nobody can say which of them is white."""
    with pytest.raises(UnsupportedImageFormatError, match="grey pixels of 8 bits, signed; save it"):
        _grey(tiff.Tiff(sample_format=tiff.SIGNED), 0, 1)


def test_the_boxes_of_a_heic_tell_its_size() -> None:
    """The API does not run the C code that decodes one; an orientation is not applied yet."""
    tried = [one.layout for one in table.outcomes() if one.layout.format == "HEIC" and one.is_right]
    for layout in tried:
        header = read_header(layout.upload)
        assert sorted((header.width, header.height)) == sorted(decode(layout.upload).size)

    with pytest.raises(TooManyPixelsError, match="64 x 64 pixels; the limit is 100"):
        read_header(heic(picture(blocks())), max_pixels=100)
    for box in (b"meta", b"pitm", b"iprp", b"ipco", b"ipma", b"ispe"):
        with pytest.raises(TruncatedImageError):
            read_header(tried[0].upload.replace(box, b"free", 1))


def test_the_header_of_a_heic_is_read_without_its_decoder() -> None:
    """Which finds out that it has no configuration; whatever such a file does, a worker bears."""
    upload = heic(picture(blocks())).replace(b"hvcC", b"free", 1)

    assert read_header(upload).format == "HEIC"
    with pytest.raises(TruncatedImageError):
        decode(upload)


def test_a_heic_that_shows_more_than_it_has_is_damage() -> None:
    """Libheif would make room for all of it."""
    upload = heic(picture(blocks()))
    place = upload.index(b"clap") + 4
    large = upload[:place] + b"\x69\0\0\0" + upload[place + 4 :]

    for look in (read_header, decode):
        with pytest.raises(TruncatedImageError):
            look(large)


def test_the_pixels_that_are_cropped_away_count() -> None:
    """They are decoded like the others."""
    with pytest.raises(TooManyPixelsError, match="64 x 64 pixels"):
        decode(heic(picture(blocks())), max_pixels=64 * 48)


def test_heic_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the refusal says so, and does not call the picture damaged."""
    upload = heic(picture(blocks()))
    assert read_header(upload).format == "HEIC"

    monkeypatch.setattr(heif, "is_installed", lambda: False)
    with pytest.raises(UnsupportedImageFormatError, match="installed without HEIC"):
        read_header(upload)


@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_jpeg_that_is_cut_off_is_shown_where_that_is_wanted(is_progressive: bool) -> None:
    """Its upper part is as it was, and there is a warning; by default it is refused."""
    image = Image.effect_mandelbrot((640, 480), (-2, -1.5, 1, 1.5), 40).convert("RGB")
    whole = jpeg(image, progressive=is_progressive)
    cut = whole[: len(whole) * 2 // 3]

    with pytest.raises(TruncatedImageError, match="cut off or damaged"):
        decode(cut)
    shown = decode_what_is_there(cut)

    assert shown.warnings == (f"the JPEG is cut off after {len(cut)} bytes",)
    upper = (0, 0, 640, 64)
    difference = np.subtract(decode(whole).crop(upper), shown.image.crop(upper), dtype=np.int16)  # type: ignore[call-overload]
    # A progressive file has coarse brightness all over by then.
    assert np.abs(difference).mean() <= (12 if is_progressive else 0)


def test_numbers_of_colours_mean_nothing_in_another_format() -> None:
    """The name of a box may stand in any comment."""
    upload = jpeg(picture(blocks()))
    comment = b"colrnclx\0\x09\0\x10\0\x09"
    upload = upload[:2] + b"\xff\xfe\0\x10" + comment + upload[2:]

    assert decode(upload).size == (64, 48)


def test_a_profile_goes_before_numbers() -> None:
    """Where both are there, the profile says what the colours are."""
    upload = avif(picture(blocks()), icc_profile=icc.SRGB.profile())

    assert decode(upload + b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\0").size == (64, 48)


def test_a_large_jpeg_is_decoded_small() -> None:
    """As far as twice the pixels are left that are asked for."""
    upload = jpeg(Image.new("RGB", (1600, 1200)))

    assert decode(upload, shorter_side=100).size == (400, 300)
    assert decode(upload).size == (1600, 1200)


def test_a_whole_jpeg_has_no_warning() -> None:
    """Nothing is said of what is as it should be."""
    assert decode_what_is_there(jpeg(picture(blocks()))).warnings == ()


def test_a_jpeg_without_pixels_shows_nothing() -> None:
    """Grey all over is no part of a picture."""
    upload = jpeg(picture(blocks()))
    scan = upload.index(b"\xff\xda")
    for kept in (3, 300, scan + 14):
        with pytest.raises(TruncatedImageError):
            decode_what_is_there(upload[:kept])


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "AVIF", "HEIC", "GIF", "BMP"])
def test_only_a_jpeg_is_shown_in_part(format: str) -> None:
    """The others have sums to check, or come in pieces whose place is not known."""
    image = Image.effect_noise((120, 90), 80).convert("RGB")
    upload = WRITERS[format](image) if format in WRITERS else encoded(image, format)

    with pytest.raises(TruncatedImageError):
        decode_what_is_there(upload[: len(upload) * 2 // 3])


def test_a_bitmap_that_is_all_transparent_is_not_white_paper() -> None:
    """Its alpha bytes are just not filled; in a PNG somebody has chosen them."""
    upload = encoded(Image.new("RGBA", (8, 8), (200, 0, 0, 0)), "PNG")

    assert decode(upload).getpixel((4, 4)) == (255, 255, 255)
