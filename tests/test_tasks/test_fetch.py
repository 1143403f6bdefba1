"""Downloading with limits, against a real HTTP server on loopback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tasks import fetch
from tasks.errors import (
    DownloadRefusedError,
    DownloadStatusError,
    DownloadTimeoutError,
    DownloadTooLargeError,
    DownloadUnreachableError,
)
from tests.conftest import free_port


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback may be asked, and the limits are small."""
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS", "127.0.0.1/32")
    monkeypatch.setenv("PETIOLE_TASKS_MAX_UPLOAD_BYTES", "1000")
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_READ_SECONDS", "1")
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_TOTAL_SECONDS", "2")
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_MIN_BYTES_PER_SECOND", "0")


def test_the_bytes_arrive_and_the_host_keeps_its_port(httpserver: HTTPServer) -> None:
    """Presigned URLs sign the Host header with the port."""
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers["Host"])
        return Response(b"x" * 1000)

    httpserver.expect_request("/a.jpg").respond_with_handler(answer)

    assert fetch.fetch(httpserver.url_for("/a.jpg")) == b"x" * 1000
    assert seen == [f"localhost:{httpserver.port}"]


@pytest.mark.parametrize("chunked", [False, True])
def test_one_byte_too_many_is_refused(httpserver: HTTPServer, chunked: bool) -> None:
    """With or without a Content-Length."""
    body = (b"x" for _ in range(1001)) if chunked else b"x" * 1001
    httpserver.expect_request("/a").respond_with_response(Response(body))

    with pytest.raises(DownloadTooLargeError, match="1000 bytes"):
        fetch.fetch(httpserver.url_for("/a"))


def test_another_status_is_said(httpserver: HTTPServer) -> None:
    """The number reaches the client."""
    with pytest.raises(DownloadStatusError, match="500"):
        fetch.fetch(httpserver.url_for("/nothing-registered"))
    httpserver.clear()


def test_redirects_are_followed_to_a_limit(httpserver: HTTPServer) -> None:
    """Three are fine, a loop is not."""
    for i in range(3):
        headers = {"Location": f"/{i + 1}"}
        httpserver.expect_request(f"/{i}").respond_with_data("", status=302, headers=headers)
    httpserver.expect_request("/3").respond_with_data(b"there")
    loop = {"Location": "/loop"}
    httpserver.expect_request("/loop").respond_with_data("", status=307, headers=loop)

    assert fetch.fetch(httpserver.url_for("/0")) == b"there"
    with pytest.raises(DownloadRefusedError, match="3 redirects"):
        fetch.fetch(httpserver.url_for("/loop"))


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://0/",
        "http://2130706434/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
    ],
)
def test_a_redirect_into_the_network_is_refused(httpserver: HTTPServer, target: str) -> None:
    """Every hop is checked like the first address; nothing is connected to."""
    headers = {"Location": target}
    httpserver.expect_request("/a").respond_with_data("", status=302, headers=headers)

    with pytest.raises(DownloadRefusedError):
        fetch.fetch(httpserver.url_for("/a"))
    with pytest.raises(DownloadRefusedError):
        fetch.fetch(target)


def test_an_encoded_body_is_refused(httpserver: HTTPServer) -> None:
    """A small gzip body can be a huge picture."""
    headers = {"Content-Encoding": "gzip"}
    httpserver.expect_request("/a").respond_with_data(b"x", headers=headers)

    with pytest.raises(DownloadRefusedError, match="encoded"):
        fetch.fetch(httpserver.url_for("/a"))


def test_nobody_listening_can_heal() -> None:
    """The task tries again after this error."""
    with pytest.raises(DownloadUnreachableError):
        fetch.fetch(f"http://127.0.0.1:{free_port()}/a")


@contextmanager
def dripping(opening: bytes, n_bytes: int = 100) -> Iterator[str]:
    """Give the URL of a picture that comes byte by byte, five of them a second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_drip, args=(listener, opening, n_bytes), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/a"


def _drip(listener: socket.socket, opening: bytes, n_bytes: int) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(opening)
        try:
            for _ in range(n_bytes):
                connection.sendall(b"x")
                sleep(0.2)
        except OSError:
            return


OF_NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"
OF_A_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"


@pytest.mark.parametrize(
    "opening",
    [OF_NO_LENGTH, b"HTTP/1.1 200 OK\r\nX-Slow: ", OF_A_LENGTH],
    ids=["body", "header", "body of known length"],
)
def test_a_server_that_drips_meets_the_total_limit(opening: bytes) -> None:
    """A byte now and then keeps a read timeout from ever passing; the deadline ends it."""
    with (
        dripping(opening) as url,
        pytest.raises(DownloadTimeoutError, match="more than 2 seconds"),
    ):
        fetch.fetch(url)


@pytest.mark.parametrize(
    "opening",
    [OF_NO_LENGTH, OF_A_LENGTH, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n384\r\n"],
    ids=["of no length", "of a length", "chunked"],
)
def test_a_server_that_trickles_is_given_up_before(
    opening: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold a place until the total time is over; the rate and the limit are told."""
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_MIN_BYTES_PER_SECOND", "1000")
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_TOTAL_SECONDS", "60")
    told = r"sent \S+ bytes a second over \S+ s; the limit is 1000 bytes a second"
    with dripping(opening) as url, pytest.raises(DownloadTimeoutError, match=told):
        fetch.fetch(url)


def test_a_server_that_is_slow_enough_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than the span over which its rate is taken."""
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_MIN_BYTES_PER_SECOND", "0.1")
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_TOTAL_SECONDS", "60")
    with dripping(OF_NO_LENGTH, n_bytes=8) as url:
        assert fetch.fetch(url) == b"x" * 8


def test_a_silent_server_meets_the_read_limit() -> None:
    """It accepts and says nothing; the whole time is for servers that say something."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(DownloadUnreachableError) as caught,
    ):
        fetch.fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/a")
    assert isinstance(caught.value.__cause__, requests.ReadTimeout)
