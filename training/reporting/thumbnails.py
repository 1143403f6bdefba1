"""Small pictures for the report, inside the page itself."""

import base64
from collections.abc import Callable
from io import BytesIO

from PIL import Image

from model_store.errors import ImageError
from model_store.pictures.decoding import decode

LONGER_SIDE_PIXELS = 160
_JPEG_QUALITY = 80


def data_uri(picture: Callable[[str], bytes], path: str) -> str | None:
    """Return the picture as a JPEG `data:` address with sides of 160 pixels at most.

    It is upright. None when it can no longer be read or decoded: a report is worth having without.
    """
    try:
        image = decode(picture(path), shorter_side=LONGER_SIDE_PIXELS)
    except (OSError, ImageError):
        return None
    image.thumbnail((LONGER_SIDE_PIXELS, LONGER_SIDE_PIXELS))
    return "data:image/jpeg;base64," + base64.b64encode(_jpeg(image)).decode()


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
