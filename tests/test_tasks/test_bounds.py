"""Which hosts may be asked: every check of an address, a name, a port, and of the other end.

Nothing is asked outside: names have the addresses that the test says, and connections are noted.
"""

import socket
from pathlib import Path
from threading import Event

import pytest
from pydantic import ValidationError

from tasks import fetch, guarded, once
from tasks.errors import DownloadError, DownloadRefusedError, DownloadUnreachableError
from tasks.settings import TasksSettings
from tests.conftest import free_port
from tests.origins import answer, certified, name_hosts, note_connections, origin

PUBLIC = "93.184.216.34"
NOT_PUBLIC = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "168.63.129.16"),  # noqa: S104 - asked, not bound to
    *("192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.52.193.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1"),
    # An IPv4 address in one of IPv6: mapped, compatible, translated (NAT64), 6to4, Teredo.
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2001::1", "2620:4f:8000::1"),
    # In no network of special use that a list would have, and in none that is given to hosts.
    *("4000::1", "1000::1", "a000::1", "::1:0:0:1"),
]


def allow(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Set settings of downloads."""
    for name, value in settings.items():
        monkeypatch.setenv(f"PETIOLE_TASKS_DOWNLOAD_{name.upper()}", value)
    once.begin_anew()


def failure(url: str) -> tuple[type[DownloadError], str]:
    """Return what the client of a download is told."""
    with pytest.raises(DownloadError) as caught:
        fetch.fetch(url)
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_special_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Written as it is, or as what a name leads to; nothing is connected to."""
    tried = note_connections(monkeypatch)
    name_hosts(monkeypatch, {"a.example": [address]})
    literal = f"[{address}]" if ":" in address else address

    assert failure(f"http://{literal}/a")[0] is DownloadRefusedError
    assert failure("http://a.example/a")[0] is DownloadUnreachableError
    assert tried == []


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """It would have been connected to, by its number and not by its name."""
    tried = note_connections(monkeypatch)
    name_hosts(monkeypatch, {"a.example": [address]})
    failure("http://a.example/a")

    assert set(tried) == {address.removeprefix("::ffff:")}


@pytest.mark.parametrize(
    "host", ["0x7f.1", "2130706433", "0177.0.0.1", "0", "127.1", "127.0.0.1.", "0x7f000001"]
)
def test_other_ways_to_write_an_address(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """What the resolver makes of them counts."""
    tried = note_connections(monkeypatch)

    assert failure(f"http://{host}/a")[0] in {DownloadRefusedError, DownloadUnreachableError}
    assert tried == []


def test_every_address_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public one does not open the way to those beside it, in whatever order."""
    tried = note_connections(monkeypatch)
    name_hosts(monkeypatch, {"a.example": [PUBLIC, "10.0.0.1"], "b.example": ["::1", PUBLIC]})

    for host in ("a.example", "b.example"):
        assert failure(f"http://{host}/a")[0] is DownloadUnreachableError
    assert tried == []


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look could find another address (DNS rebinding)."""
    allow(monkeypatch, allow_networks="127.0.0.1/32")
    asked = name_hosts(monkeypatch, {"a.example": ["127.0.0.1"]})
    with origin(answer(b"picture")) as server:
        fetched = fetch.fetch(server.url(host="a.example"))

    assert (fetched, asked) == (b"picture", ["a.example"])
    assert f"Host: a.example:{server.port}\r\n" in server.requests[0]


def test_a_resolver_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose server never answers holds no thread of the worker for longer than allowed."""
    allow(monkeypatch, connect_seconds="0.2")
    ended = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [] * ended.wait(20))
    within = guarded.bounds(look_up_seconds=0.2)

    with pytest.raises(TimeoutError), guarded.session(within, user_agent="x") as session:
        session.get("http://a.example/a")
    assert not ended.is_set()
    ended.set()


def test_the_other_end_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever leads a connection elsewhere than to the address that was checked, ends it."""
    with socket.create_server(("127.0.0.1", 0)) as inside:
        led_astray = socket.create_connection(inside.getsockname())
        note_connections(monkeypatch, to=led_astray)
        name_hosts(monkeypatch, {"a.example": [PUBLIC]})
        heard, _ = inside.accept()

        assert failure("http://a.example/a")[0] is DownloadUnreachableError
        with heard, led_astray:
            led_astray.close()
            assert heard.recv(1000) == b""


@pytest.mark.parametrize("port", [1, 22, 25, 6379, 8080])
def test_the_ports_of_public_servers(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Those of the web and no other, unless the operator names more."""
    tried = note_connections(monkeypatch)

    assert failure(f"http://{PUBLIC}:{port}/a")[1].endswith("at the ports 80,443 only")
    assert tried == []
    for ports in ("", f"80, {port}"):
        allow(monkeypatch, ports=ports)
        assert failure(f"http://{PUBLIC}:{port}/a")[0] is DownloadUnreachableError
    assert tried


def test_networks_that_are_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also such as are public, or allowed by a larger network."""
    tried = note_connections(monkeypatch)
    allow(monkeypatch, deny_networks="93.184.0.0/16, 10.1.0.0/16", allow_networks="10.0.0.0/8")

    assert failure(f"http://{PUBLIC}/a")[0] is DownloadRefusedError
    assert failure("http://10.1.2.3/a")[0] is DownloadRefusedError
    assert tried == []
    assert failure("http://10.2.0.1:9000/a")[0] is DownloadUnreachableError
    assert tried


@pytest.mark.parametrize(
    ("settings", "host", "is_asked"),
    [
        ({"allow_hosts": "a.example, *.b.example"}, "a.example", True),
        ({"allow_hosts": "a.example, *.b.example"}, "A.Example.", True),
        ({"allow_hosts": "a.example, *.b.example"}, "x.y.b.example", True),
        ({"allow_hosts": "a.example, *.b.example"}, "b.example", False),
        ({"allow_hosts": "a.example, *.b.example"}, "xb.example", False),
        ({"allow_hosts": "a.example, *.b.example"}, "x.a.example", False),
        ({"allow_hosts": "bücher.example"}, "xn--bcher-kva.example", True),
        ({"allow_hosts": "xn--bcher-kva.example"}, "BÜCHER.example", True),
        ({"deny_hosts": "*.bücher.example"}, "www.xn--bcher-kva.example", False),
        ({"deny_hosts": "a.example"}, "a.example", False),
        ({"deny_hosts": "a.example"}, "b.example", True),
        ({"deny_hosts": PUBLIC}, PUBLIC, False),
        ({"allow_hosts": "*.example", "deny_hosts": "a.example"}, "a.example", False),
    ],
)
def test_hosts_of_the_operators_lists(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], host: str, is_asked: bool
) -> None:
    """Names as the DNS has them, whatever their letters; a star is for all that is below."""
    tried = note_connections(monkeypatch)
    known = {"a.example", "b.example", "x.y.b.example", "xn--bcher-kva.example", "A.Example."}
    name_hosts(monkeypatch, {name: [PUBLIC] for name in known | {"a.example."}})
    allow(monkeypatch, **settings)

    refused = failure(f"http://{host}/a")[0] is DownloadRefusedError
    assert (refused, bool(tried)) == (not is_asked, is_asked)


def test_one_answer_for_all_that_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks learns nothing of ports and names.

    Neither of a closed port, an open one of another service or a silent one, nor of a name that
    leads inside or nowhere.
    """
    allow(monkeypatch, allow_networks="127.0.0.1/32", read_seconds="0.3")
    name_hosts(monkeypatch, {"inside.example": ["10.0.0.1"], "here.example": ["127.0.0.1"]})
    with origin(b"SSH-2.0-OpenSSH_9.2\r\n") as other, socket.create_server(("", 0)) as silent:
        silent_port = silent.getsockname()[1]
        told = {
            failure(url)
            for url in (
                f"http://here.example:{free_port()}/a",
                f"https://here.example:{other.port}/a",
                f"http://here.example:{silent_port}/a",
                "http://inside.example/a",
                "http://nowhere.example/a",
            )
        }

    assert told == {(DownloadUnreachableError, fetch.NO_ANSWER)}


def test_tls_is_with_the_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The address is connected to, and its certificate must be the name's; SNI says the name."""
    allow(monkeypatch, allow_networks="127.0.0.1/32")
    name_hosts(monkeypatch, {"a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"]})
    context, named = certified(tmp_path, "a.example"), []
    context.sni_callback = lambda _, name, __: named.append(name)
    bundle = str(tmp_path / "certificate.pem")
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", bundle)
    with origin(answer(b"picture"), tls=context) as server:
        fetched = fetch.fetch(server.url(host="a.example"))
        other = failure(server.url(host="b.example"))

    assert fetched == b"picture"
    assert other == (DownloadUnreachableError, fetch.NO_ANSWER)
    assert named == ["a.example", "b.example"]


def test_no_proxy_and_no_password_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy would look names up itself, and `.netrc` would tell strangers passwords."""
    (tmp_path / ".netrc").write_text("machine a.example login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    allow(monkeypatch, allow_networks="127.0.0.1/32")
    name_hosts(monkeypatch, {"a.example": ["127.0.0.1"]})
    with origin(answer(b"picture")) as server:
        assert fetch.fetch(server.url(host="a.example")) == b"picture"

    assert "Authorization" not in server.requests[0]


@pytest.mark.parametrize(
    "settings",
    [
        {"download_allow_networks": "10.0.0.0/99"},
        {"download_deny_networks": "intranet"},
        {"webhook_allow_networks": "10.0.0.1-10.0.0.9"},
        {"download_ports": "80,http"},
        {"download_ports": "0"},
        {"download_allow_hosts": "https://a.example"},
        {"download_deny_hosts": "a.*.example"},
        {"download_user_agent": "two\r\nlines: 1"},
    ],
)
def test_a_list_with_a_mistake_stops_the_process(settings: dict[str, str]) -> None:
    """It would otherwise open or close something else than its operator thinks."""
    with pytest.raises(ValidationError):
        TasksSettings(**settings)
