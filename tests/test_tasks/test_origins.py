"""Servers of pictures as they are, and addresses as people write them; all on loopback."""

import gzip

import pytest

from tasks import fetch, once
from tasks.errors import (
    DownloadError,
    DownloadRefusedError,
    DownloadStatusError,
    DownloadUnreachableError,
)
from tasks.urls import check_url
from tests.conftest import picture
from tests.origins import answer, name_hosts, origin

RED = picture()


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback may be asked; two names lead there, and no other leads anywhere."""
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS", "127.0.0.1/32")
    hosts = ("a.example", "b.example", "xn--bcher-kva.example")
    name_hosts(monkeypatch, {host: ["127.0.0.1"] for host in hosts})


def fetched(*answers: bytes, path: str = "/a.jpg", host: str = "127.0.0.1") -> tuple[bytes, list]:
    """Return what came from a server that gives these answers, and what it was asked for."""
    with origin(*answers) as server:
        came = fetch.fetch(server.url(path, host))
    return came, [request.split(" ", 2)[1] for request in server.requests]


def redirect(to: str | bytes, *lines: str) -> bytes:
    """Return a redirect to an address, as bytes or in UTF-8."""
    target = to if isinstance(to, bytes) else to.encode()
    return answer(b"", *lines, "Location: @", status="302 Found").replace(b"@", target)


@pytest.mark.parametrize(
    "encoding",
    [
        *("", "identity", "Identity", "utf-8", "UTF8", "binary", "none", "8bit", "image/jpeg"),
        *("aws-chunked", "gzip", "deflate", "br", "identity, identity", "gzip, identity"),
    ],
)
def test_an_encoding_around_a_plain_picture(encoding: str) -> None:
    """Whatever a server says of the bytes, they are a picture."""
    came, _ = fetched(answer(RED, f"Content-Encoding: {encoding}"))

    assert came == RED


@pytest.mark.parametrize("encoding", ["gzip", "br", "x-gzip", "identity, gzip", "utf-8"])
def test_a_body_that_is_encoded(encoding: str) -> None:
    """It is refused, not unpacked: a small one can be huge inside."""
    with pytest.raises(DownloadRefusedError, match=f"encoded as '{encoding}'"):
        fetched(answer(gzip.compress(RED), f"Content-Encoding: {encoding}"))


@pytest.mark.parametrize(
    "response",
    [
        answer(RED),
        answer(RED, version="1.0"),
        answer(RED, f"Content-Length: {len(RED)}", version="1.0"),
        answer(RED, f"Content-Length: {len(RED)}", "Content-Type: text/html"),
        answer(RED, "Content-Type: nonsense", "Connection: close"),
        answer(f"{len(RED):x}\r\n".encode() + RED + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        answer(RED, "Set-Cookie: ", "X-Folded: a", " b", "no colon here"),
        answer(RED, status="200"),
    ],
    ids=[
        *("no length", "HTTP/1.0 that closes", "HTTP/1.0 with a length", "another type"),
        *("no type", "chunks", "odd headers", "no reason"),
    ],
)
def test_heads_of_all_kinds(response: bytes) -> None:
    """Lengths and types may be missing or wrong; the connection's end is the body's."""
    assert fetched(response)[0] == RED


def test_a_body_that_is_cut_off() -> None:
    """A connection that ends before the length that was said gives no half picture."""
    with pytest.raises(DownloadUnreachableError, match="in the middle"):
        fetched(answer(RED[:-10], f"Content-Length: {len(RED)}"))


@pytest.mark.parametrize(
    ("path", "location", "asked"),
    [
        ("/x/a.jpg", "b.jpg", "/x/b.jpg"),
        ("/x/a.jpg", "../b.jpg", "/b.jpg"),
        ("/x/a.jpg", "/b.jpg?c=d", "/b.jpg?c=d"),
        ("/x/a.jpg", "?size=2", "/x/a.jpg?size=2"),
        ("/x/a.jpg", "  /b.jpg  ", "/b.jpg"),
        ("/a.jpg", "/my picture.jpg", "/my%20picture.jpg"),
        ("/a.jpg", "/Blüte.jpg", "/Bl%C3%BCte.jpg"),
        ("/a.jpg", "/花.jpg", "/%E8%8A%B1.jpg"),
        ("/a.jpg", "/Bl%C3%BCte.jpg", "/Bl%C3%BCte.jpg"),
        ("/a.jpg", "/Blüte.jpg".encode("latin-1"), "/Bl%C3%BCte.jpg"),
        ("/a.jpg", "/100%.jpg", "/100%25.jpg"),
        ("/a.jpg", "/b.jpg#part", "/b.jpg"),
    ],
)
def test_targets_of_redirects(path: str, location: str | bytes, asked: str) -> None:
    """Relative, with spaces, in whatever letters: as browsers follow them."""
    came, paths = fetched(redirect(location), answer(RED), path=path)

    assert (came, paths) == (RED, [path, asked])


def test_a_target_without_a_scheme() -> None:
    """`//host/path` keeps the scheme."""
    with origin(answer(RED)) as second, origin(redirect(second.url()[len("http:") :])) as first:
        assert fetch.fetch(first.url()) == RED


def test_a_redirect_that_leads_nowhere() -> None:
    """Without a target it is an answer like any other status; a target that is none is refused."""
    with pytest.raises(DownloadStatusError, match="302"):
        fetched(answer(status="302 Found"))
    for location in ("http://[::1/", "http://a.example:port/", "data:image/png;base64,AAAA"):
        with pytest.raises(DownloadRefusedError):
            fetched(redirect(location))


def test_a_redirect_out_of_tls() -> None:
    """What was asked for in secret is not asked for in the open."""
    with pytest.raises(DownloadRefusedError, match="from https to http"):
        fetch._redirected("https://a.example/a", "http://a.example/a")


def test_cookies_on_the_way() -> None:
    """A server that wants its cookie back gets it; another one does not."""
    second = answer(RED)
    with origin(second) as other:
        onward = redirect(other.url(host="b.example"))
        with origin(redirect("/a.jpg", "Set-Cookie: seen=1; Path=/"), onward) as server:
            came = fetch.fetch(server.url(host="a.example"))

    assert came == RED
    assert ["Cookie: seen=1" in request for request in server.requests] == [False, True]
    assert "Cookie" not in other.requests[0]


def test_no_cookie_outlives_a_download() -> None:
    """Whose picture is fetched next is nobody's business."""
    with origin(answer(RED, "Set-Cookie: seen=1")) as server:
        for _ in range(2):
            fetch.fetch(server.url(host="a.example"))

    assert "Cookie" not in server.requests[1]


def test_the_agents_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses names it does not know says 403, and the name is a setting."""
    with pytest.raises(DownloadStatusError, match="403"):
        fetched(answer(status="403 Forbidden"))
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_USER_AGENT", "museum/1.0 (+https://a.example)")
    once.begin_anew()
    with origin(answer(RED)) as server:
        fetch.fetch(server.url())

    assert "User-Agent: museum/1.0 (+https://a.example)\r\n" in server.requests[0]
    assert "Accept-Encoding: identity\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/my picture.jpg", "/my%20picture.jpg"),
        ("/Blüte in Köln.jpg?größe=2", "/Bl%C3%BCte%20in%20K%C3%B6ln.jpg?gr%C3%B6%C3%9Fe=2"),
        ("/Bl%C3%BCte.jpg", "/Bl%C3%BCte.jpg"),
        ("/100%.jpg", "/100%25.jpg"),
        ("/a+b.jpg?c=d%2Fe&f=[g]", "/a+b.jpg?c=d%2Fe&f=%5Bg%5D"),
        ("/a'(1).jpg", "/a'(1).jpg"),
        ("", "/"),
        ("?a=b", "/?a=b"),
    ],
)
def test_paths_as_people_write_them(path: str, asked: str) -> None:
    """Spaces, umlauts and lone signs are encoded; what is encoded stays."""
    assert fetched(answer(RED), path=path) == (RED, [asked])


@pytest.mark.parametrize("host", ["bücher.example", "BÜCHER.Example", "xn--bcher-kva.example"])
def test_hosts_with_other_letters(host: str) -> None:
    """They are asked under the name that the DNS has for them."""
    with origin(answer(RED)) as server:
        assert fetch.fetch(server.url(host=host)) == RED

    assert f"Host: xn--bcher-kva.example:{server.port}\r\n" in server.requests[0]


def test_a_host_that_no_dns_has() -> None:
    """Its text alone tells, as of a webhook, whose host is in no list."""
    with pytest.raises(DownloadRefusedError, match="no name of the internet"):
        check_url("http://-ü-.example/")


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example/b", "file:///etc/passwd", "//a.example/b", "a.example/b", "", "http://"),
        *("http://user@a.example/", "http://u:p@a.example/", "http://a.example\\@b.example/"),
        *(
            "http://a.example:99999/",
            "http://[::1/",
            "http://-ü-.example/",
            f"http://{'ü' * 70}.example/",
        ),
        *("http://a.example/\r\nX: y", "http://a.example/" + "b" * 2048, "javascript:alert(1)"),
    ],
)
def test_what_is_no_address_of_a_picture(url: str) -> None:
    """Said without a connection."""
    with pytest.raises(DownloadError) as caught:
        fetch.fetch(url)
    assert type(caught.value) is DownloadRefusedError
