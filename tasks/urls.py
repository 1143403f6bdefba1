"""What can be said of a picture's URL without a connection.

The API refuses with it before a job exists, the download worker at every redirect.
"""

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from tasks.errors import DownloadRefusedError

MAX_URL_CHARACTERS = 2048
MAX_FILENAME_CHARACTERS = 255


def check_url(image_url: str) -> None:
    """Check scheme, host, user part and length.

    Raises:
        DownloadRefusedError: says which of them.
    """
    if not image_url.isprintable():
        raise DownloadRefusedError("the URL has characters that no URL has; percent-encode them")
    if len(image_url) > MAX_URL_CHARACTERS:
        message = f"the URL has {len(image_url)} characters; the limit is {MAX_URL_CHARACTERS}"
        raise DownloadRefusedError(message)
    try:
        parts = urlsplit(image_url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise DownloadRefusedError(f"not a URL: {exc}") from exc
    if parts.scheme not in {"http", "https"}:
        raise DownloadRefusedError(f"the scheme is {parts.scheme!r}; use http or https")
    if not host or parts.username is not None:
        raise DownloadRefusedError("the URL needs a host, and may carry no user name")


def filename_of(image_url: str) -> str:
    """Return the last part of the URL's path, or `image` when it has none."""
    return base_name(unquote(urlsplit(image_url).path)) or "image"


def base_name(path: str) -> str:
    """Return a client's file name without folders, at most 255 characters."""
    return PurePosixPath(path.replace("\\", "/")).name[:MAX_FILENAME_CHARACTERS]
