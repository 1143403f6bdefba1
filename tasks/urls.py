"""What can be said of a picture's URL without a connection.

The API refuses with it before a job exists, the download worker at every redirect.
"""

import re
from collections.abc import Collection
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import idna

from tasks.errors import DownloadRefusedError

MAX_URL_CHARACTERS = 2048
MAX_FILENAME_CHARACTERS = 255
DATA_SCHEME = re.compile("data:", re.IGNORECASE)


def listed(text: str) -> tuple[str, ...]:
    """Return what a setting lists with commas."""
    return tuple(filter(None, (each.strip() for each in text.split(","))))


def is_data(address: str) -> bool:
    """Tell whether an address is itself the picture."""
    return DATA_SCHEME.match(address.lstrip()) is not None


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
    host_name(host)


def check_host(image_url: str, *, allowed: Collection[str], denied: Collection[str]) -> None:
    """Check the host of a URL that `check_url` let pass against the operator's lists.

    Raises:
        DownloadRefusedError: it is denied, or there is a list of allowed ones without it.
    """
    name = host_name(urlsplit(image_url).hostname or "")
    is_denied = any(_is_below(name, each) for each in denied)
    if is_denied or (allowed and not any(_is_below(name, each) for each in allowed)):
        raise DownloadRefusedError("the operator of this service does not let it ask this host")


def host_name(host: str) -> str:
    """Return a host as the DNS and TLS know it: `xn--…` for other letters, no dot at its end.

    Raises:
        DownloadRefusedError: there is no such name.
    """
    host = host.rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as exc:
        raise DownloadRefusedError(f"the host {host!r} is no name of the internet: {exc}") from exc


def _is_below(name: str, listed_host: str) -> bool:
    """Tell whether a name is one that stands in a list, or below one with `*.` before it."""
    domain = host_name(listed_host.removeprefix("*."))
    return name.endswith(f".{domain}") if listed_host.startswith("*.") else name == domain


def filename_of(image_url: str) -> str:
    """Return the last part of the URL's path, or `image` when it has none."""
    return base_name(unquote(urlsplit(image_url).path)) or "image"


def base_name(path: str) -> str:
    """Return a client's file name without folders, at most 255 characters."""
    return PurePosixPath(path.replace("\\", "/")).name[:MAX_FILENAME_CHARACTERS]
