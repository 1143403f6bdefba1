"""What can be said of a picture's URL without a connection.

The API refuses with it before a job exists, the download worker at every redirect.
"""

import re
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import idna

from tasks.errors import DownloadRefusedError

MAX_URL_CHARACTERS = 2048
MAX_FILENAME_CHARACTERS = 255
Address = IPv4Address | IPv6Address
NAME = re.compile("[a-z0-9._-]+")
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

    An address is written as addresses are, whatever it looked like: `0x7f.1` is `127.0.0.1`.

    Raises:
        DownloadRefusedError: there is no such name.
    """
    try:
        ascii_host = host if host.isascii() else idna.encode(host, uts46=True).decode()
        return _in_one_spelling(ascii_host.lower().rstrip("."))
    except ValueError as exc:
        raise DownloadRefusedError(f"the host {host!r} is no name of the internet: {exc}") from exc


def _in_one_spelling(host: str) -> str:
    if ":" in host:
        return str(read_address(host))
    # urllib3 ends a host at `\`, urllib.parse does not: it would be checked as another one than is
    # asked. No host that there is has such a character.
    if not NAME.fullmatch(host):
        raise ValueError("it has characters that no host has")
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host


def read_address(text: str) -> Address:
    """Return an IP address; one of IPv4 that is written as IPv6 is one of IPv4.

    Raises:
        ValueError: it is none.
    """
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


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
