"""Making a picture upright, as its EXIF data say it was taken."""

from typing import Any

from PIL import Image

from model_store.pictures.headers import BROKEN_BYTES

ORIENTATION_TAG = 0x0112
# What makes a picture upright, by its EXIF orientation; 1 is upright. Source: EXIF 2.3, 4.6.4 A.
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image) -> Image.Image:
    """Return the picture as it was seen."""
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> Any:
    """Return the orientation, which some programs write as another type than SHORT."""
    try:
        value = image.getexif().get(ORIENTATION_TAG)
        return value[0] if isinstance(value, bytes) else value
    except BROKEN_BYTES:
        # Broken metadata says nothing about the pixels, which were decoded to the end.
        return None
