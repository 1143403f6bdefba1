"""Small copies of pictures, for people to look at."""

from collections.abc import Callable
from io import BytesIO

from PIL import Image

from model_store.errors import ImageError
from model_store.pictures.decoding import decode

_JPEG_QUALITY = 80


def jpeg(picture: Callable[[str], bytes], path: str, longer_side_pixels: int) -> bytes | None:
    """Return the picture as a JPEG whose sides have so many pixels at most; it is upright.

    It has pixels alone: neither place nor comment of the picture's file. None when that can no
    longer be read or decoded: what it is for is worth having without.
    """
    try:
        image = decode(picture(path), shorter_side=longer_side_pixels)
    except (OSError, ImageError):
        return None
    image.thumbnail((longer_side_pixels, longer_side_pixels))
    image.info.clear()  # Pillow writes a comment that it has read
    return _encoded(image)


def _encoded(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
