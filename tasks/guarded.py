"""Requests to addresses that strangers named: public ones only; what is checked is connected to.

What can be said of a URL's text says `urls`. Here its name is looked up, once and in bounded time;
each address that it has must be one that may be asked, and one of those is connected to. The list
of special networks is a library's (microsoft-antissrf).
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import requests
from AntiSSRF import IPAddressRanges
from requests.adapters import HTTPAdapter

from tasks.urls import Address, listed, read_address

Network = IPv4Network | IPv6Network

GLOBAL_UNICAST = ip_network("2000::/3")
"""All that IANA gives to hosts of the public IPv6 internet; what is outside it leads to special
places, some of them by way of an IPv4 address in it (`::127.0.0.1`, `64:ff9b::7f00:1`).
Source: https://www.iana.org/assignments/ipv6-address-space"""

SPECIAL = tuple(ip_network(each) for each in IPAddressRanges.recommended_latest)
DEFAULT_PORTS = {"http": 80, "https": 443}


class ForbiddenAddressError(Exception):
    """A host has an address that may not be asked."""


class ForbiddenPortError(Exception):
    """A public server is not asked at this port."""


@dataclass(frozen=True)
class Bounds:
    """Where requests may go.

    Attributes:
        allowed: Networks that may be asked although they are not public, at any port.
        denied: Networks that may not be asked although they are public, or allowed.
        ports: Those at which public servers are asked; empty for any.
        look_up_seconds: How long the addresses of a name are waited for.
    """

    allowed: tuple[Network, ...]
    denied: tuple[Network, ...]
    ports: frozenset[int]
    look_up_seconds: float

    def check(self, address: Address, port: int) -> None:
        """Let an address pass.

        Raises:
            ForbiddenAddressError, ForbiddenPortError: it may not be asked, or not at this port.
        """
        if _is_in(address, self.denied):
            raise ForbiddenAddressError
        if _is_in(address, self.allowed):
            return
        if not is_public(address):
            raise ForbiddenAddressError
        if self.ports and port not in self.ports:
            raise ForbiddenPortError


def bounds(
    *, allow: str = "", deny: str = "", ports: str = "", look_up_seconds: float = 3.0
) -> Bounds:
    """Return bounds from settings, which are lists with commas."""
    return Bounds(
        allowed=tuple(ip_network(each, strict=False) for each in listed(allow)),
        denied=tuple(ip_network(each, strict=False) for each in listed(deny)),
        ports=frozenset(map(int, listed(ports))),
        look_up_seconds=look_up_seconds,
    )


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet's hosts."""
    is_of_a_host = isinstance(address, IPv4Address) or address in GLOBAL_UNICAST
    return is_of_a_host and not _is_in(address, SPECIAL)


def is_address(host: str) -> bool:
    """Tell whether a host is an address, however it is written, and no name in the DNS."""
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return True


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def session(within: Bounds, *, user_agent: str) -> requests.Session:
    """Return a session that asks nothing outside these bounds, and nobody on the way there."""
    made = _Session()
    made.trust_env = False  # neither proxies nor .netrc
    made.headers["Accept-Encoding"] = "identity"
    made.headers["User-Agent"] = user_agent
    for scheme in DEFAULT_PORTS:
        made.mount(f"{scheme}://", _Adapter(within))
    return made


class _Session(requests.Session):
    """Leaves redirects to its caller.

    requests looks at each target even where it does not follow, and fails at one in Latin-1.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none."""


class _Adapter(HTTPAdapter):
    """Connects to an address that it has checked, under the name that was asked for."""

    def __init__(self, within: Bounds) -> None:
        super().__init__()
        self._bounds = within

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Put an address in the place of the name, which TLS and the Host header keep."""
        to, others = super().build_connection_pool_key_attributes(request, verify, cert)
        options: dict[str, Any] = {**others}
        name, port = to["host"], to["port"] or DEFAULT_PORTS[to["scheme"]]
        if to["scheme"] == "https":
            options |= {"assert_hostname": name, "server_hostname": name}
        addresses = _look_up(name, self._bounds.look_up_seconds)
        for address in addresses:
            self._bounds.check(address, port)
        return {**to, "host": str(addresses[0])}, options

    def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
        """Name the host as the URL does, port included: presigned URLs sign that."""
        request.headers["Host"] = urlsplit(str(request.url)).netloc


def _look_up(name: str, seconds: float) -> list[Address]:
    """Return the addresses of a name, those of IPv4 first: many machines have no other.

    Raises:
        OSError: it has none, or they are not known in time.
    """
    outcome: SimpleQueue[list[Address] | OSError] = SimpleQueue()
    Thread(target=_ask_resolver, args=(name, outcome), daemon=True).start()
    try:
        found = outcome.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no address within {seconds:g} s") from None
    if isinstance(found, OSError):
        raise found
    return sorted(found, key=lambda address: address.version)


def _ask_resolver(name: str, outcome: "SimpleQueue[list[Address] | OSError]") -> None:
    """Leave what the resolver says; it also reads what else stands for an address (`0x7f.1`)."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        outcome.put([read_address(str(each[4][0])) for each in found])
    except OSError as exc:
        outcome.put(exc)
    except ValueError as exc:
        outcome.put(OSError(f"no name of a host: {exc}"))


def check_peer(connection: socket.socket, host: str) -> None:
    """Check that a connection leads to the address that was checked.

    Raises:
        OSError: it leads elsewhere.
    """
    if read_address(connection.getpeername()[0]) != read_address(host):
        raise OSError("the connection leads to another address than the one that was checked")
