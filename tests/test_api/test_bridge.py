"""What a WSGI application sees of a request that came through the event loop."""

from io import BytesIO
from typing import Any

from api.wsgi import environ_of

SCOPE: dict[str, Any] = {
    "method": "POST",
    "scheme": "http",
    "http_version": "1.1",
    "root_path": "",
    "raw_path": b"/result/%C3%BC",
    "query_string": b"wait=1",
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.2", 50_000),
    "headers": [],
}


def environ(headers: list[tuple[bytes, bytes]], *, size: int = 0) -> dict[str, Any]:
    """Return the environment of a request with these headers."""
    return environ_of(SCOPE | {"headers": headers}, BytesIO(), size)


def test_the_address_is_as_pep_3333_wants_it() -> None:
    """The path is decoded to bytes and those are written as Latin-1."""
    seen = environ([])

    assert "/result/\u00fc".encode().decode("latin-1") == seen["PATH_INFO"]
    assert (
        seen["QUERY_STRING"],
        seen["SERVER_PORT"],
        seen["REMOTE_ADDR"],
    ) == ("wait=1", "8000", "127.0.0.2")


def test_repeated_headers_are_joined() -> None:
    """By commas, but cookies by semicolons (RFC 9110 5.3, RFC 6265 5.4)."""
    seen = environ([(b"prefer", b"a"), (b"prefer", b"b"), (b"cookie", b"a"), (b"cookie", b"b")])

    assert (seen["HTTP_PREFER"], seen["HTTP_COOKIE"]) == ("a,b", "a; b")


def test_a_body_in_chunks_has_a_length() -> None:
    """It was read whole, so the application need not know how it came."""
    seen = environ([(b"transfer-encoding", b"chunked"), (b"content-type", b"image/png")], size=7)

    assert (seen["CONTENT_LENGTH"], seen["CONTENT_TYPE"]) == ("7", "image/png")
    assert "HTTP_TRANSFER_ENCODING" not in seen
