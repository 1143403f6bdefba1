"""NumPy arrays as uploads: pixels that are decoded already, and those that are normalised too."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model_store import PreprocessingSpec, preprocessing
from model_store.errors import (
    ImageError,
    NotAnImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageFormatError,
)
from model_store.pictures import npy
from model_store.pictures.decoding import decode
from model_store.pictures.headers import DEFAULT_MAX_PIXELS, read_header

SPEC = PreprocessingSpec(4, 0.9, mean=(127.0, 120.0, 110.0), scale=(128.0, 64.0, 255.0))
BGR = PreprocessingSpec(4, 1.0, channel_order="BGR")
PIXELS = np.random.default_rng(7).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def saved(array: np.ndarray, **how: object) -> bytes:
    """Return the file that NumPy itself writes."""
    stream = BytesIO()
    np.save(stream, array, **how)
    return stream.getvalue()


def png(pixels: np.ndarray) -> bytes:
    """Return pixels as a PNG."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(("kind", "dtype"), [(npy.UINT8, np.uint8), (npy.FLOAT32, np.float32)])
def test_what_is_written_without_numpy_is_what_numpy_writes(kind: str, dtype: type) -> None:
    """Byte for byte, whatever the length of the header."""
    for shape in ((1, 1), (6, 9), (1200, 7)):
        array = np.ones((*shape, 3), dtype)
        upload = npy.to_bytes(array.tobytes(), kind=kind, height=shape[0], width=shape[1])

        assert upload == saved(array)


def test_an_array_is_the_picture_that_a_png_of_it_is() -> None:
    """Its header tells its size, and its pixels go the same way."""
    header = read_header(saved(PIXELS))

    assert (header.format, header.width, header.height) == ("NPY", 9, 6)
    assert (np.asarray(decode(saved(PIXELS))) == PIXELS).all()
    for spec in (SPEC, BGR):
        array, file = (preprocessing.prepare(each(PIXELS), spec) for each in (saved, png))
        assert (array == file).all()


@pytest.mark.parametrize("spec", [SPEC, BGR])
def test_normalised_pixels_are_restored_to_the_bit(spec: PreprocessingSpec) -> None:
    """As float32 has them, whatever the card's mean and scale."""
    every = np.arange(256, dtype=np.uint8)
    for start in range(0, 256, 16):
        pixels = np.repeat(every[start : start + 16].reshape(4, 4, 1), 3, axis=2)
        floats = ((pixels - np.array(spec.mean)) / np.array(spec.scale)).astype(np.float32)
        told = preprocessing.prepare_what_is_there(saved(floats), spec)

        assert (told.pixels == pixels).all()
        assert (preprocessing.prepare(saved(floats), spec) == pixels).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38, 200.0, 2.12, -1.9])
def test_values_that_no_pixel_has_are_refused(value: float) -> None:
    """One of them is enough."""
    floats = np.zeros((4, 4, 3), np.float32)
    floats[2, 3, 1] = value

    with pytest.raises(UnsupportedImageFormatError, match="no pixel's"):
        preprocessing.prepare(saved(floats), SPEC)


def test_floats_need_the_models_own_size_and_are_no_picture_without_it() -> None:
    """Only the model knows what they mean."""
    with pytest.raises(UnsupportedImageFormatError, match=r"\[4, 4, 3\]"):
        preprocessing.prepare(saved(np.zeros((4, 5, 3), np.float32)), SPEC)
    with pytest.raises(UnsupportedImageFormatError, match="float32"):
        decode(saved(np.zeros((4, 4, 3), np.float32)))


@pytest.mark.parametrize(
    ("upload", "error"),
    [
        (saved(PIXELS)[:-1], TruncatedImageError),
        (saved(PIXELS) + b"x", TruncatedImageError),
        (saved(PIXELS[:0]), UnsupportedImageFormatError),
        (saved(PIXELS).replace(b"(6, 9, 3)", b"(9, 9, 3)"), TruncatedImageError),
        (saved(PIXELS).replace(b"6, 9, 3), }  ", b"999999999, 9, 3), }")[:200], NotAnImageError),
        (npy.to_bytes(b"", kind=npy.UINT8, height=10**8, width=10**8), TooManyPixelsError),
        (saved(PIXELS.astype(np.float64)), NotAnImageError),
        (saved(PIXELS[..., 0]), NotAnImageError),
        (saved(PIXELS[None]), NotAnImageError),
        (saved(np.asfortranarray(PIXELS)), NotAnImageError),
        (saved(np.array([{}], dtype=object), allow_pickle=True), NotAnImageError),
        (saved(PIXELS)[:9], NotAnImageError),
        (saved(PIXELS)[:40], NotAnImageError),
    ],
)
def test_what_is_no_array_of_pixels_is_refused(upload: bytes, error: type[ImageError]) -> None:
    """By its header alone, before anything is made of it."""
    with pytest.raises(error):
        read_header(upload, DEFAULT_MAX_PIXELS)
    with pytest.raises(ImageError):
        preprocessing.prepare(upload, SPEC)
