"""What a request's head must be, beyond what gunicorn asks: one host, a path with one reading.

Proxies and servers disagree on segments such as `..;` and on backslashes: what one of them took for
a closed path another takes for an open one. Whoever means such a path has it put right before.
"""

import re
from collections.abc import Iterable

from gunicorn.asgi.parser import ParseError

HOST = re.compile(rb"[a-z0-9._-]+(:\d*)?|\[[0-9a-f:.]+\](:\d*)?", re.IGNORECASE)
SLASH, DOT, SEMICOLON = rb"(?:/|\\|%2f|%5c)", rb"(?:\.|%2e)", rb"(?:;|%3b)"
TWO_READINGS = re.compile(
    SLASH + DOT + rb"{1,2}(?:" + SLASH + rb"|" + SEMICOLON + rb"|$)|\\", re.IGNORECASE
)
NEEDS_HOST = (1, 1)


def check(version: tuple[int, int], target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Let a head pass.

    Raises:
        ParseError: it names no host, or its path can be read in two ways.
    """
    host = next((value.strip() for name, value in headers if name.lower() == b"host"), None)
    if host is None and version >= NEEDS_HOST:
        raise ParseError("it names no Host")
    if host is not None and not HOST.fullmatch(host):
        raise ParseError("its Host is none")
    if TWO_READINGS.search(target.partition(b"?")[0]):
        raise ParseError("its path can be read in two ways")
