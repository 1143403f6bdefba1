"""Requests of programs that cannot be installed everywhere, byte for byte as they write them.

Sources: .NET's `MultipartFormDataContent` and `ContentDispositionHeaderValue`, PowerShell's
`WebRequestPSCmdlet.GetMultipartFileContent`; Windows PowerShell has no forms, so its users put one
together by hand.
"""

import json
import socket
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.api_server import Server, Start
from tests.conftest import picture

pytestmark = pytest.mark.server

GREEN = picture("green")
ID = b"0f0b2f2c-3f5c-4b0e-9d6a-2f3c0c9a1e77"
NAMED = b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
OCTETS = b"Content-Type: application/octet-stream\r\n"


def form(headers: bytes, end: bytes = b"--\r\n") -> bytes:
    """Return a form with one part."""
    return b"--" + ID + b"\r\n" + headers + b"\r\n" + GREEN + b"\r\n--" + ID + end


def by_dotnet(body: bytes, *, agent: bytes = b"") -> tuple[bytes, bytes]:
    """Return the head and the body of a request as .NET's HttpClient sends it."""
    kind = b'multipart/form-data; boundary="' + ID + b'"'
    lines = [b"POST /classify HTTP/1.1", b"Host: localhost", *([agent] if agent else [])]
    lines += [b"Content-Type: " + kind, b"Content-Length: %d" % len(body), b"", b""]
    return b"\r\n".join(lines), body


def by_windows_powershell(body: bytes, *, kind: bytes) -> tuple[bytes, bytes]:
    """Return the head and the body of a request as `Invoke-RestMethod` of 5.1 sends it."""
    lines = [
        b"POST /classify HTTP/1.1",
        b"User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621",
        b"Content-Type: " + kind,
        b"Host: localhost",
        b"Content-Length: %d" % len(body),
        b"Expect: 100-continue",
        b"Connection: Keep-Alive",
        *(b"", b""),
    ]
    return b"\r\n".join(lines), body


UNQUOTED = b"Content-Disposition: form-data; name=image; filename=a.jpg; filename*=utf-8''a.jpg\r\n"
UMLAUTS = (
    b"Content-Disposition: form-data; name=image; "
    b"filename=\"=?utf-8?B?csO2c2UuanBn?=\"; filename*=utf-8''r%C3%B6se.jpg\r\n"
)
AS_IN_MAIL = (
    b'Content-Disposition: form-data; name="image"; filename="=?utf-8?B?csO2c2UuanBn?="\r\n'
)
POWERSHELL = b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; Debian GNU/Linux 12) PowerShell/7.5.1"
PLAIN, QUOTED = (b"multipart/form-data; boundary=" + each for each in (ID, b'"' + ID + b'"'))
REQUESTS = {
    "PowerShell 7, -Form": by_dotnet(form(NAMED + OCTETS), agent=POWERSHELL),
    "PowerShell 7, umlauts": by_dotnet(form(AS_IN_MAIL + OCTETS), agent=POWERSHELL),
    "PowerShell 7, -InFile": (
        b"POST /classify HTTP/1.1\r\nHost: localhost\r\n" + POWERSHELL + b"\r\n"
        b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(GREEN),
        GREEN,
    ),
    "HttpClient": by_dotnet(form(UNQUOTED)),
    "HttpClient, the type first": by_dotnet(form(b"Content-Type: image/jpeg\r\n" + UNQUOTED)),
    "HttpClient, umlauts": by_dotnet(form(UMLAUTS)),
    "Windows PowerShell, by hand": by_windows_powershell(form(NAMED + OCTETS), kind=QUOTED),
    "Windows PowerShell, unquoted": by_windows_powershell(form(UNQUOTED), kind=PLAIN),
    "Windows PowerShell, lines before and after": by_windows_powershell(
        b"\r\n" + form(NAMED + OCTETS, end=b"--\r\n\r\n"), kind=PLAIN
    ),
    "Windows PowerShell, -InFile": by_windows_powershell(GREEN, kind=b"image/jpeg"),
    "Windows PowerShell, -InFile of no type": by_windows_powershell(
        GREEN, kind=b"application/x-www-form-urlencoded"
    ),
}


def sent(connection: socket.socket, head: bytes, body: bytes) -> tuple[int, str]:
    """Return what is answered; who asks first sends the body when it is told to go on."""
    with connection:
        connection.sendall(head)
        if b"Expect:" in head:
            assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = HTTPResponse(connection, method="POST")
        answer.begin()
        return answer.status, answer.read().decode()


@pytest.fixture
def server(start: Start) -> Server:
    """An API that keeps what it takes."""
    return start()


def test_what_powershell_and_dotnet_send_arrives_as_it_was(server: Server, tmp_path: Path) -> None:
    """Names in quotes or without, twice, encoded; boundaries in quotes or without."""
    for name, (head, body) in REQUESTS.items():
        status, text = sent(server.connect(), head, body)
        files = [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()]

        assert (name, status) == (name, 202), text
        assert [path.read_bytes() for path in files] == [GREEN]
        files[0].unlink()


def test_a_body_that_was_read_as_text_is_told(server: Server) -> None:
    """What `Get-Content` or UTF-8 make of a picture is none, and the answer says so."""
    as_text = GREEN.decode("utf-8", "replace").encode()
    broken = form(NAMED + OCTETS).replace(GREEN, as_text)
    status, text = sent(server.connect(), *by_windows_powershell(broken, kind=QUOTED))

    assert (status, "/problems#not-an-image" in text) == (415, True)


@pytest.mark.parametrize("name", ["HttpClient, umlauts", "PowerShell 7, umlauts"])
def test_a_name_that_dotnet_encodes_is_kept_in_its_letters(server: Server, name: str) -> None:
    """It writes it as mail does, and a second time as the web does."""
    _, text = sent(server.connect(), *REQUESTS[name])
    job = server.job_store.get(json.loads(text)["task_id"])

    assert job.filename == "röse.jpg"
