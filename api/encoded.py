"""Pictures as text: base64 in the ways that clients write it, and `data:` URLs."""

import base64
import binascii
from urllib.parse import unquote

from api.errors import MalformedRequestError
from tasks.urls import is_data

_URL_SAFE = str.maketrans("-_", "+/")


def decoded(text: str) -> bytes:
    """Return the bytes of base64 text or of a `data:` URL.

    The alphabet of URLs, missing padding, lines and percent signs (`%2B`) are understood.

    Raises:
        MalformedRequestError: it is neither.
    """
    text = text.strip()
    if is_data(text):
        header, comma, text = text.partition(",")
        if not comma or not header.casefold().endswith(";base64"):
            raise MalformedRequestError("the data: URL has no ;base64, part")
    if "%" in text:
        text = unquote(text)
    text = "".join(text.split()).translate(_URL_SAFE)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise MalformedRequestError(f"the image is not base64: {exc}") from exc
