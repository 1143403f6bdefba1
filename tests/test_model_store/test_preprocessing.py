"""From bytes to the pixels a network takes."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model_store import PreprocessingSpec
from model_store.errors import (
    NotAnImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageFormatError,
)
from model_store.pictures.headers import ACCEPTED_FORMATS
from model_store.preprocessing import decode, pixels, prepare

Encoded = Callable[..., bytes]
SPEC = PreprocessingSpec(input_size=32, crop_fraction=0.875)
RED, LIME, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)

# How a camera stores an upright picture under each EXIF orientation: the inverse of what has to be
# done to see it upright. Source: EXIF 2.3, 4.6.4 A.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def _corners(image: Image.Image) -> list[tuple[int, ...]]:
    right, bottom = image.width - 9, image.height - 9
    return [image.getpixel(place) for place in ((8, 8), (right, 8), (right, bottom), (8, bottom))]


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_upright(
    encoded: Encoded, quarters: Image.Image, orientation: int, format: str
) -> None:
    """All eight EXIF orientations give the same picture."""
    turn = STORED_AS[orientation]
    stored = quarters if turn is None else quarters.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}

    upright = decode(encoded(stored, format, exif=exif, **options))

    assert _corners(upright) == [RED, LIME, BLUE, YELLOW]


def test_broken_exif_does_not_refuse_good_pixels(encoded: Encoded, quarters: Image.Image) -> None:
    """Metadata that cannot be read is as good as none."""
    upload = encoded(quarters, "PNG", exif=b"Exif\x00\x00garbage")

    assert _corners(decode(upload)) == [RED, LIME, BLUE, YELLOW]


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "YCbCr", "RGBA", "LA"])
def test_every_mode_becomes_rgb(encoded: Encoded, mode: str) -> None:
    """White stays white in every colour space."""
    white = Image.new("RGB", (8, 8), "white").convert(mode)
    format = "TIFF" if mode in {"CMYK", "YCbCr", "LA"} else "PNG"

    image = decode(encoded(white, format))

    assert (image.mode, image.getpixel((4, 4))) == ("RGB", (255, 255, 255))


def test_a_cmyk_jpeg_has_its_colours(encoded: Encoded) -> None:
    """Adobe's inverted CMYK is turned back."""
    upload = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)

    red, green, blue = decode(upload).getpixel((8, 8))

    # JPEG is lossy; a flat colour at quality 95 is off by two levels at most.
    assert red >= 253
    assert max(green, blue) <= 2


def _transparent(mode: str) -> tuple[Image.Image, dict[str, object]]:
    if mode == "P":
        image = Image.new("P", (8, 8), 0)
        image.putpalette([0, 0, 0, 255, 0, 0])
        return image, {"transparency": 0}
    if mode == "RGB":
        return Image.new("RGB", (8, 8), (0, 0, 0)), {"transparency": (0, 0, 0)}
    return Image.new(mode, (8, 8), 0), {}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparent_pixels_are_white(encoded: Encoded, mode: str) -> None:
    """Transparency is laid on white, however the format stores it."""
    image, options = _transparent(mode)

    assert decode(encoded(image, "PNG", **options)).getpixel((4, 4)) == (255, 255, 255)


def test_half_transparent_pixels_are_mixed_with_white(encoded: Encoded) -> None:
    """Alpha 51 of 255 is a fifth of the colour: 255 x 4 / 5 = 204 of black on white."""
    upload = encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 51)))

    assert decode(upload).getpixel((4, 4)) == (204, 204, 204)


@pytest.mark.parametrize(
    ("grey", "expected"), [(0, 0), (257 * 100, 100), (40_000, 156), (65535, 255)]
)
def test_sixteen_bits_are_scaled_not_clipped(encoded: Encoded, grey: int, expected: int) -> None:
    """65535 / 257 = 255, so 40,000 is 155.6; Pillow's own conversion would clip it to 255."""
    image = Image.fromarray(np.full((8, 8), grey, np.uint16))

    assert decode(encoded(image, "PNG")).getpixel((4, 4)) == (expected,) * 3


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame(encoded: Encoded, format: str) -> None:
    """The first frame is what a client sees before it plays."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if format == "WEBP" else {}

    upload = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)

    assert decode(upload).getpixel((4, 4)) == RED


def test_floating_point_pixels_are_refused(encoded: Encoded) -> None:
    """Their range is not fixed, so any scaling would be a guess."""
    with pytest.raises(UnsupportedImageFormatError, match="grey pixels of 32 bits, floating point"):
        decode(encoded(Image.new("F", (8, 8), 0.5), "TIFF"))


@pytest.mark.parametrize("format", ACCEPTED_FORMATS)
def test_half_an_upload_is_truncated(encoded: Encoded, noise: Image.Image, format: str) -> None:
    """A picture that stopped half-way is told from something that is no picture."""
    upload = encoded(noise, format)

    with pytest.raises(TruncatedImageError, match="cut off or damaged"):
        decode(upload[: len(upload) // 2])


@pytest.mark.parametrize(("upload", "error"), [(b"hello", NotAnImageError)])
def test_what_is_no_picture_is_refused(upload: bytes, error: type[Exception]) -> None:
    """Decoding checks again what the header check saw."""
    with pytest.raises(error):
        prepare(upload, SPEC)


def test_the_pixel_limit_holds_before_decoding(encoded: Encoded, quarters: Image.Image) -> None:
    """Whoever decodes says how much may be decoded."""
    with pytest.raises(TooManyPixelsError):
        prepare(encoded(quarters), SPEC, max_pixels=1000)


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (33, 500), (1, 1), (32, 32)])
def test_pixels_have_the_size_of_the_network(encoded: Encoded, size: tuple[int, int]) -> None:
    """Wide, tall and tiny pictures all become uint8 [32, 32, 3]."""
    array = prepare(encoded(Image.new("RGB", size, "red")), SPEC)

    assert ((32, 32, 3), np.uint8) == (array.shape, array.dtype)


def test_the_central_square_is_kept() -> None:
    """Of 100 x 60 the central 30 x 30 is kept at half the shorter side, untouched if it fits."""
    image = Image.new("RGB", (100, 60), "blue")
    ImageDraw.Draw(image).rectangle((35, 15, 64, 44), fill="red")

    array = pixels(image, PreprocessingSpec(input_size=30, crop_fraction=0.5))

    assert (array == RED).all()


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "lanczos", "nearest", "box", "hamming"])
def test_the_kernel_of_the_card_resizes(noise: Image.Image, kernel: str) -> None:
    """The same as Pillow's own crop and resize where the square has whole edges."""
    spec = PreprocessingSpec(input_size=32, crop_fraction=0.8, resample=kernel)

    expected = noise.crop((24, 9, 96, 81)).resize((32, 32), Image.Resampling[kernel.upper()])

    # A crop cannot see its neighbours beyond the edge, so only the inner part is the same.
    assert np.array_equal(pixels(noise, spec)[4:-4, 4:-4], np.asarray(expected)[4:-4, 4:-4])


def test_channels_come_in_the_order_of_the_card(quarters: Image.Image) -> None:
    """A network trained on BGR gets BGR."""
    spec = PreprocessingSpec(input_size=32, crop_fraction=0.875, channel_order="BGR")

    assert tuple(pixels(quarters, spec)[0, 0]) == (0, 0, 255)


def test_a_large_jpeg_decoded_small_is_the_same_picture(encoded: Encoded) -> None:
    """Decoding at a quarter of the size changes the result by less than JPEG's own error."""
    small = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    image = Image.fromarray(small).resize((1600, 1200), Image.Resampling.BICUBIC)
    upload = encoded(image, "JPEG", quality=90)

    difference = np.abs(prepare(upload, SPEC).astype(int) - pixels(decode(upload), SPEC))

    # Largest seen: 2 levels of 255.
    assert difference.max() <= 4
