"""Small pictures for the report, inside the page itself."""

import base64
from collections.abc import Callable

from training.pictures import small

LONGER_SIDE_PIXELS = 160


def data_uri(picture: Callable[[str], bytes], path: str) -> str | None:
    """Return the picture as a JPEG `data:` address with sides of 160 pixels at most.

    It is upright. None when it can no longer be read or decoded: a report is worth having without.
    """
    jpeg = small.jpeg(picture, path, LONGER_SIDE_PIXELS)
    return None if jpeg is None else "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
