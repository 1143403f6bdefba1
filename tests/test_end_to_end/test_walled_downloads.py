"""Downloads and webhooks in an internet of the test's own, where everything leads to a canary.

Each address of IPv4 and IPv6 is the namespace's, the canary listens at all of them, and a resolver
says what it likes. What may not be asked must not be connected to, not once.
"""

import os
from collections.abc import Iterator

import pytest

from tests.internet.spellings import (
    AT_OTHER_PORTS,
    CUT_IN_TWO_WAYS,
    FORBIDDEN,
    HOSTS,
    NEVER_CONNECTED,
    OF_THE_PUBLIC_ADDRESS,
    OF_THE_PUBLIC_NAME,
    URLS,
    literal,
)
from tests.internet.world import Asker, World, internet

PUBLIC, PROXY = "93.184.216.34", "198.41.0.4"
PUBLIC_6 = "2606:4700::1111"
NAMES = {f"name{number}.example": [address] for number, address in enumerate(FORBIDDEN)}
STATUSES = (301, 302, 303, 307, 308)


def kind_of(address: str) -> str:
    """Return an address as a record of the DNS."""
    return f"{'AAAA' if ':' in address else 'A'} {address}"


ZONE = {
    "public.example": [[f"A {PUBLIC}"]],
    "six.example": [[f"AAAA {PUBLIC_6}"]],
    "far.example": [["CNAME farther.example."]],
    "farther.example": [["CNAME public.example."]],
    **{name: [[kind_of(each) for each in addresses]] for name, addresses in NAMES.items()},
}
ASTRAY = {
    "two.example": [[f"A {PUBLIC}", "A 10.0.0.1"]],
    "other.example": [["A 127.0.0.1", f"A {PUBLIC}"]],
    "both.example": [[f"A {PUBLIC}", "AAAA ::1"]],
    "six4.example": [[f"AAAA {PUBLIC_6}", "A 169.254.169.254"]],
    "mapped.example": [[f"A {PUBLIC}", "AAAA ::ffff:127.0.0.1"]],
    "many.example": [[*(f"A 93.184.216.{n}" for n in range(1, 90)), "A 192.168.1.1"]],
    "alias.example": [["CNAME inside.example."]],
    "chain.example": [["CNAME chain2.example."]],
    "chain2.example": [["CNAME chain3.example."]],
    "chain3.example": [["CNAME inside.example."]],
    "local.example": [["CNAME localhost."]],
    "inside.example": [["A 127.0.0.1"]],
    "circle.example": [["CNAME circle.example."]],
}
"""Names with an address among theirs, or at the end of where they lead, that may not be asked."""
REBINDING = {
    f"{kind}{number}.rebind.example": [[kind_of(first)], [kind_of(then)]]
    for number, then in enumerate(("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fc00::1"))
    for kind, first in (("once", PUBLIC), ("hop", PUBLIC), ("told", PUBLIC))
}
"""Names that are public when they are looked up first, and never again."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The internet of these tests."""
    folder = tmp_path_factory.mktemp("internet")
    zone = ZONE | ASTRAY | REBINDING
    with internet(folder, zone, certificate_of="public.example") as made:
        yield made


def environment(**further: str) -> dict[str, str]:
    """Return what a worker is told, which does not try anything again for long."""
    return {**os.environ, "PETIOLE_TASKS_DOWNLOAD_CONNECT_SECONDS": "2", **further}


@pytest.fixture(scope="module")
def asker(world: World) -> Iterator[Asker]:
    """The worker's functions as they are by default."""
    with world.asking(environment()) as made:
        yield made


def refused(outcomes: dict[str, str]) -> bool:
    """Tell whether each was refused, in words that a client of the service knows."""
    known = {
        "DownloadRefusedError",
        "DownloadUnreachableError",
        "only public addresses may be told",
    }
    return {each for each in outcomes.values() if not each.startswith("it did not answer")} <= known


def test_the_canary_would_count(world: World, asker: Asker) -> None:
    """A program without walls calls each of the addresses, by its number and by a name."""
    world.called()
    asker.ask("bare", [f"http://{literal(each)}/" for each in FORBIDDEN])
    by_number = [address for address, _ in world.called()]
    asker.ask("bare", [f"http://{name}/" for name in NAMES])

    assert by_number == list(FORBIDDEN)
    assert [address for address, _ in world.called()] == list(FORBIDDEN)


def test_what_may_be_asked_is(world: World, asker: Asker) -> None:
    """Public addresses, at once, by names, at the end of aliases, in TLS and of IPv6."""
    world.called()
    urls = [f"http://{PUBLIC}/", "http://public.example/", "http://far.example/"]
    six = ["http://six.example/", f"http://[{PUBLIC_6}]/"]
    fetched = asker.ask("fetch", [*urls, *six, "https://public.example/"])
    told = asker.ask("tell", ["http://public.example/", "http://public.example:8080/"])

    assert (set(fetched.values()), set(told.values())) == ({"picture"}, {"taken"})
    calls = [
        *[(PUBLIC, 80)] * 3,
        *[(PUBLIC_6, 80)] * 2,
        (PUBLIC, 443),
        (PUBLIC, 80),
        (PUBLIC, 8080),
    ]
    assert world.called() == calls


@pytest.mark.parametrize("kind", ["fetch", "tell"])
def test_no_spelling_leads_inside(world: World, asker: Asker, kind: str) -> None:
    """Of any forbidden address, whatever stands before, in or behind it."""
    world.called()
    hosts = [*(literal(each) for each in (*FORBIDDEN, *NEVER_CONNECTED)), *HOSTS, *NAMES]
    outcomes = asker.ask(kind, [*(f"http://{host}/a.jpg" for host in hosts), *URLS])

    assert refused(outcomes), outcomes
    assert world.called() == []


def test_public_servers_are_asked_for_pictures_at_the_webs_ports(
    world: World, asker: Asker
) -> None:
    """At no port of other services, which listen there."""
    world.called()
    outcomes = asker.ask("fetch", AT_OTHER_PORTS)

    assert set(outcomes.values()) == {"DownloadRefusedError"}, outcomes
    assert world.called() == []


@pytest.mark.parametrize("kind", ["fetch", "tell"])
def test_no_name_leads_inside(world: World, asker: Asker, kind: str) -> None:
    """Not by one address among public ones, of either kind, nor at the end of aliases."""
    world.called()
    outcomes = asker.ask(kind, [f"http://{name}/a.jpg" for name in ASTRAY])

    assert refused(outcomes), outcomes
    assert world.called() == []


def test_a_name_that_changes_is_asked_where_it_was_checked(world: World, asker: Asker) -> None:
    """Its first answer is what is connected to, and no second one is asked for (DNS rebinding)."""
    world.called()
    once = [name for name in REBINDING if name.startswith("once")]
    told = [name for name in REBINDING if name.startswith("told")]
    outcomes = asker.ask("fetch", [f"http://{name}/" for name in once])
    outcomes |= asker.ask("tell", [f"http://{name}/" for name in told])

    assert set(outcomes.values()) == {"picture", "taken"}
    assert world.called() == [(PUBLIC, 80)] * len([*once, *told])
    outcomes = asker.ask("fetch", [f"http://{name}/" for name in [*once, *told]])
    assert refused(outcomes), outcomes
    assert world.called() == []


def test_a_name_that_changes_on_the_way_is_refused(world: World, asker: Asker) -> None:
    """A redirect to the same name is looked up anew, and does not use the open connection."""
    world.called()
    names = [name for name in REBINDING if name.startswith("hop")]
    outcomes = asker.ask("fetch", [f"http://{name}/to/302?/a.jpg" for name in names])

    assert refused(outcomes), outcomes
    assert world.called() == [(PUBLIC, 80)] * len(names)


def test_no_redirect_leads_inside(world: World, asker: Asker) -> None:
    """Of any status, at any step, to another scheme, another port, or out of TLS."""
    world.called()
    hosts = [*(literal(each) for each in FORBIDDEN), *HOSTS, *NAMES, *ASTRAY]
    targets = [*(f"http://{host}/a.jpg" for host in hosts), *AT_OTHER_PORTS]
    urls = [
        f"http://public.example/to/{STATUSES[n % 5]}?{quoted(t)}" for n, t in enumerate(targets)
    ]
    last = quoted(quoted("http://127.0.0.1/"))
    outcomes = asker.ask("fetch", [*urls, f"http://public.example/to/301?/to/302%3F{last}"])
    outcomes |= asker.ask("fetch", ["https://public.example/to/301?http://public.example/"])

    assert refused(outcomes), outcomes
    assert set(world.called()) == {(PUBLIC, 80), (PUBLIC, 443)}


def test_no_text_of_a_redirect_leads_inside(world: World, asker: Asker) -> None:
    """What is no whole address is a path of the server that sent it; that may have a picture."""
    world.called()
    asker.ask("fetch", [f"http://public.example/to/302?{quoted(url)}" for url in URLS])

    assert set(world.called()) == {(PUBLIC, 80)}


def quoted(target: str) -> str:
    """Return a target as the canary's addresses carry it: each byte by itself."""
    return "".join(f"%{byte:02x}" for byte in target.encode())


def test_no_page_and_no_webhook_is_led_on(world: World, asker: Asker) -> None:
    """A page that refreshes itself is its bytes; whoever is told may not send elsewhere."""
    world.called()
    asker.ask("fetch", ["http://public.example/refresh"])
    urls = [f"http://public.example/to/{status}?http://127.0.0.1/" for status in STATUSES]
    told = asker.ask("tell", urls)

    assert [f"it answered {status}" for status in STATUSES] == list(told.values())
    assert world.called() == [(PUBLIC, 80)] * 6


def test_a_proxy_of_the_environment_is_not_asked(world: World) -> None:
    """It would look names up by itself; a program without walls would ask it."""
    proxy = f"http://{PROXY}:3128"
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    with world.asking(environment(**dict.fromkeys(names, proxy))) as asker:
        world.called()
        asker.ask("bare", ["http://inside.example/", "https://public.example/"])
        control = world.called()
        urls = ["http://127.0.0.1/", "http://inside.example/", "https://localhost/"]
        outcomes = asker.ask("fetch", urls) | asker.ask("tell", urls)
        fetched = asker.ask("fetch", ["http://public.example/"])

    assert control == [(PROXY, 3128)] * 2
    assert refused(outcomes), outcomes
    assert fetched == {"http://public.example/": "picture"}
    assert world.called() == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    ("name", "value", "hosts"),
    [
        ("ALLOW", "*.museum.example", CUT_IN_TWO_WAYS),
        ("DENY", "public.example", OF_THE_PUBLIC_NAME),
        ("DENY", PUBLIC, OF_THE_PUBLIC_ADDRESS),
    ],
)
def test_no_spelling_passes_the_operators_lists(
    world: World, name: str, value: str, hosts: list[str]
) -> None:
    """A host that they keep out is kept out, however it is written and whoever reads it."""
    with world.asking(environment(**{f"PETIOLE_TASKS_DOWNLOAD_{name}_HOSTS": value})) as asker:
        world.called()
        outcomes = asker.ask("fetch", [f"http://{host}/" for host in hosts])

    assert set(outcomes.values()) == {"DownloadRefusedError"}, outcomes
    assert world.called() == []
