"""Requests that two readers could take for different ones, and other tricks on the wire."""

import psutil
import pytest

from tests.api_server import Server, Start
from tests.test_api.test_server import answer_of

pytestmark = pytest.mark.server

SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: petiole\r\n\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: petiole\r\n"
POST = b"POST /classify HTTP/1.1\r\nHost: petiole\r\nContent-Type: image/jpeg\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
END = b"\r\n0\r\n\r\n"
REFUSED = {
    "both lengths": CHUNKED + b"Content-Length: 4\r\n" + END,
    "both lengths, turned": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n" + END,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 38\r\n\r\n",
    "two equal lengths": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "two lengths in one": POST + b"Content-Length: 0, 38\r\n\r\n",
    "a sign": POST + b"Content-Length: +0\r\n\r\n",
    "less than nothing": POST + b"Content-Length: -1\r\n\r\n",
    "a hexadecimal length": POST + b"Content-Length: 0x26\r\n\r\n",
    "an empty length": POST + b"Content-Length:\r\n\r\n",
    "an underscore in a length": POST + b"Content-Length: 1_0\r\n\r\n",
    "an endless length": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 38\r\n\r\n",
    "a space before the name": POST + b" Content-Length: 38\r\n\r\n",
    "a folded line": GET + b"X: a\r\n b\r\n\r\n",
    "a coding in a folded line": POST + b"Transfer-Encoding:\r\n\tchunked\r\n" + END,
    "no colon": GET + b"rubbish\r\n\r\n",
    "no name": GET + b": x\r\n\r\n",
    "bare line feeds": b"GET /livez HTTP/1.1\nHost: petiole\n\n",
    "a bare line feed": GET + b"X: y\nZ: z\r\n\r\n",
    "a bare carriage return": GET + b"X: a\rY: b\r\n\r\n",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n" + END,
    "no coding": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding twice": CHUNKED + b"Transfer-Encoding: chunked\r\n" + END,
    "a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n" + END,
    "chunks in HTTP/1.0": b"POST /classify HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + END,
    "a chunk of no length": CHUNKED + b"\r\nxyz\r\n",
    "a chunk of less than nothing": CHUNKED + b"\r\n-1\r\n",
    "a chunk of 0x4": CHUNKED + b"\r\n0x4\r\nabcd\r\n0\r\n\r\n",
    "a space before a chunk": CHUNKED + b"\r\n 4\r\nabcd\r\n0\r\n\r\n",
    "a line feed after a length": CHUNKED + b"\r\n4\nabcd\r\n0\r\n\r\n",
    "a chunk that is longer": CHUNKED + b"\r\n4\r\nabcdefgh\r\n0\r\n\r\n",
    "an extension with a line feed": CHUNKED + b"\r\n4;a\nb\r\nabcd\r\n0\r\n\r\n",
    "an extension without end": CHUNKED + b"\r\n4;" + b"a" * 200_000,
    "no host": b"GET /livez HTTP/1.1\r\nX: y\r\n\r\n",
    "an empty host": b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n",
    "a host with a user": b"GET /livez HTTP/1.1\r\nHost: petiole@other\r\n\r\n",
    "a host with a path": b"GET /livez HTTP/1.1\r\nHost: petiole/other\r\n\r\n",
    "two hosts": GET + b"Host: other\r\n\r\n",
    "NUL in the path": b"GET /livez\0 HTTP/1.1\r\nHost: petiole\r\n\r\n",
    "a space in the path": b"GET /livez x HTTP/1.1\r\nHost: petiole\r\n\r\n",
    "bytes in the path": b"GET /livez\xe9 HTTP/1.1\r\nHost: petiole\r\n\r\n",
    "no slash": b"GET livez HTTP/1.1\r\nHost: petiole\r\n\r\n",
    "a version to come": b"GET /livez HTTP/9.9\r\nHost: petiole\r\n\r\n",
    "no version": b"GET /livez\r\n\r\n",
    "no method": b"G(T /livez HTTP/1.1\r\nHost: petiole\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",
}
FLOODS = {
    "lines": GET + b"".join(b"X%d: y\r\n" % i for i in range(1000)) + b"\r\n",
    "a line": GET + b"X: " + b"y" * 1_000_000,
    "a path": b"GET /" + b"y" * 1_000_000,
    "a method": b"G" * 1_000_000,
    "trailers": CHUNKED + b"\r\n0\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
}
PATHS = (
    *("/models/%2e%2e/livez", "/models/..;/livez", "/static/../../livez"),
    *("/static/..%2f..%2fapp.py", "/static/%2e%2e/app.py", "/static/..;/app.py", "/docs/../../x"),
    *(r"/static\..\..\app.py", "/models/..%5c..%5cx/1", "//other.example/..", "/livez/..;x=y/jobs"),
    *("/docs/%2e%2e/%2e%2e/etc/passwd", "/docs/..%2f..%2fapi", "/models/..", "/result/..%3b/x"),
    *("/static/.;/page.css", "/static/./page.css", "/%2E%2E%3B/livez", "/..", "/bulk/..;/results"),
)
ELSEWHERE = {"/static//etc/passwd": "308", "/livez;x": "404", "/%zz": "404", "/models/%00": "422"}


def closed_after(server: Server, sent: bytes) -> str:
    """Return all that a request and one behind it are answered, until the connection closes."""
    return answer_of(server.connect(sent + SMUGGLED))


def test_what_two_readers_could_read_in_two_ways_is_refused(start: Start) -> None:
    """With 400 as a problem document; what comes behind it on the connection is not read."""
    server = start()
    answers = {name: closed_after(server, sent) for name, sent in REFUSED.items()}

    assert {name: answer[:13] for name, answer in answers.items()} == dict.fromkeys(
        REFUSED, "HTTP/1.1 400 "
    )
    assert all(a.count("HTTP/1.1 ") == 1 for a in answers.values())
    assert all("Content-Type: application/problem+json" in a for a in answers.values())
    assert server.get("/livez").ok


def test_a_flood_of_a_head_is_refused_before_it_is_kept(start: Start) -> None:
    """414 or 431; others are answered meanwhile, and the memory stays what it was."""
    server = start()
    process = psutil.Process(server.process.pid)
    before = memory(process)
    for sent in FLOODS.values():
        held = [server.connect(GET + b"X: y\r\n") for _ in range(20)]
        answer = closed_after(server, sent)
        assert answer.split(" ", 2)[1] in {"414", "431"}
        assert server.get("/livez").ok
        for connection in held:
            connection.close()

    assert memory(process) - before < 40_000_000


def status_of(server: Server, path: str) -> str:
    """Return what a path is answered with, sent as it is written here."""
    sent = f"GET {path} HTTP/1.1\r\nHost: petiole\r\nConnection: close\r\n\r\n".encode()
    return closed_after(server, sent).split(" ", 2)[1]


def test_no_path_leads_out_of_what_is_served(start: Start) -> None:
    """What two readers take for different paths is refused, and one that is odd is only not there.

    Two slashes lead to where one does.
    """
    server = start()
    asked = {path: status_of(server, path) for path in (*PATHS, *ELSEWHERE)}

    assert asked == dict.fromkeys(PATHS, "400") | ELSEWHERE


def test_old_clients_need_no_host(start: Start) -> None:
    """Health checks of proxies speak HTTP/1.0; what a query says is no path."""
    server = start()
    old = closed_after(server, b"GET /livez HTTP/1.0\r\n\r\n")
    asked = server.get("/livez?next=/../..;/x%00").status_code

    assert (old.split(" ", 2)[1], asked) == ("200", 200)


def test_a_body_that_is_shorter_or_longer_than_said(start: Start) -> None:
    """Who leaves early leaves nothing behind; what is too much is the next request, refused."""
    server = start()
    for _ in range(10):
        server.connect(POST + b"Content-Length: 1000000\r\n\r\n" + bytes(1000)).close()
    answer = closed_after(server, POST + b"Content-Length: 4\r\n\r\nabcdefgh\r\n\r\n")

    assert answer.count("HTTP/1.1 400 ") == 1
    assert server.get("/livez").ok


def memory(process: psutil.Process) -> int:
    """Return the bytes that the server's processes have in memory."""
    return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)])
