"""What the server refuses before the application sees it, for pages of other origins."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_string
from email.message import Message
from threading import Event

import pytest
from playwright.sync_api import Browser
from pytest_httpserver import HTTPServer

from tests.api_server import Server, Start
from tests.conftest import picture
from tests.test_api.test_server import HEAD, answer_of

pytestmark = pytest.mark.server

APP, SECOND, OTHER = "https://app.example", "https://second.example", "https://other.example"
GET = b"GET /models HTTP/1.1\r\nHost: petiole\r\n"
END = b"\r\n\r\n"
LARGE = b"X-Large: " + b"x" * 9000 + b"\r\n"


@contextmanager
def full(server: Server) -> Iterator[None]:
    """Take every place of a server that has one."""
    with server.connect(GET + b"\r\n") as held:
        held.recv(1)
        yield


REFUSED: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "a head that does not end": (408, lambda origin: HEAD + origin + b"\r\n"),
    "a body that does not end": (
        408,
        lambda origin: HEAD + b"Content-Length: 9\r\n" + origin + END + b"slow",
    ),
    "a long header": (431, lambda origin: GET + LARGE + origin + END),
    "a long header after it": (431, lambda origin: GET + origin + b"\r\n" + LARGE + END),
    "a long line": (414, lambda origin: b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + origin + END),
    "no header": (400, lambda origin: GET + b"no header\r\n" + origin + END),
    "no chunk": (
        400,
        lambda origin: HEAD + b"Transfer-Encoding: chunked\r\n" + origin + END + b"no chunk\r\n",
    ),
}


def told(connection: socket.socket) -> tuple[int, Message]:
    """Return the status and the headers of the answer that ends a connection."""
    head = answer_of(connection).partition("\r\n\r\n")[0]
    line, _, headers = head.partition("\r\n")
    return int(line.split()[1]), message_from_string(headers)


@pytest.fixture
def server(start: Start) -> Server:
    """An API of two origins, with little patience."""
    return start(
        PETIOLE_API_CORS_ORIGINS=f"{APP},{SECOND}",
        PETIOLE_API_REQUEST_SECONDS="0.5",
        PETIOLE_API_MAX_CONNECTIONS="1",
    )


def test_a_page_of_a_named_origin_reads_every_refusal(server: Server) -> None:
    """With the header that allows it, for its own origin alone; a cache is told of that."""
    for name, (status, sent) in REFUSED.items():
        for origin, allowed in ((APP, APP), (SECOND, SECOND), (OTHER, None)):
            answer, headers = told(server.connect(sent(f"Origin: {origin}".encode())))

            assert (name, answer) == (name, status)
            assert (name, headers["Access-Control-Allow-Origin"]) == (name, allowed)
            assert headers["Vary"] == "Origin"


def test_nobody_without_the_setting(start: Start) -> None:
    """Neither header has a place then."""
    server = start(PETIOLE_API_REQUEST_SECONDS="0.5")
    for status, sent in REFUSED.values():
        answer, headers = told(server.connect(sent(f"Origin: {APP}".encode())))

        assert (answer, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (
            *(status, None),
            None,
        )


def test_a_connection_too_many_is_answered_for_its_origin(server: Server) -> None:
    """Its head is waited for, and the rest of its body does not reset it."""
    with full(server):
        origin = f"Origin: {APP}".encode()
        late = server.connect()
        Event().wait(0.1)
        late.sendall(GET + origin + END)
        body = HEAD + b"Content-Length: 9000000\r\n" + origin + END + bytes(9_000_000)
        answers = [told(each) for each in (late, server.connect(body), server.connect())]

    assert [status for status, _ in answers] == [503, 503, 503]
    allowed = [headers["Access-Control-Allow-Origin"] for _, headers in answers]
    assert allowed == [APP, APP, None]
    assert all(headers["Retry-After"] for _, headers in answers)


SENT = """async ([base, bytes]) => {
    const post = { method: "POST", headers: { "Content-Type": "text/plain" } };
    const answer = await fetch(`${base}/classify`, { ...post, body: new Uint8Array(bytes) });
    return [answer.status, answer.headers.get("Retry-After"), (await answer.json()).detail];
}"""


def test_a_browser_shows_its_page_that_all_connections_are_taken(
    start: Start, browser: Browser, httpserver: HTTPServer
) -> None:
    """Instead of an error of the network, which says nothing."""
    httpserver.expect_request("/").respond_with_data("<!doctype html>", content_type="text/html")
    origin = f"http://localhost:{httpserver.port}"
    api = start(PETIOLE_API_CORS_ORIGINS=origin, PETIOLE_API_MAX_CONNECTIONS="1")
    with full(api), browser.new_page() as page:
        page.goto(f"{origin}/")
        told = page.evaluate(SENT, [api.url, list(picture(kind="PNG"))])

    assert told == [503, "2", "all connections are taken; try again shortly"]
