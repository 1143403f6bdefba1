"""Addresses in settings: of Redis and of brokers, of networks, ports and hosts.

redis-py and Celery write a socket in the file system apart.

For redis-py it is `unix:///path?db=1`, for Celery `redis+socket:///path?virtual_host=1`.
"""

import re
from ipaddress import ip_network
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from tasks import redis_tls, sentinels
from tasks.errors import DownloadRefusedError
from tasks.urls import host_name, listed

HOST = re.compile(r"(\*\.)?[^\s*/@]+")
MAX_PORT = 65_535
BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
ESCAPES = "write # as %23, / as %2F, ? as %3F, @ as %40, : as %3A and % as %25"
SOCKET, CELERYS_SOCKET = "unix", "redis+socket"
OVER_TCP = ("redis", "rediss")
EXAMPLES = "redis://127.0.0.1:6379/0, rediss://… or unix:///path/to/socket"
EXAMPLES_OF_BROKERS = (
    "redis://127.0.0.1:6379/0, rediss://…, redis+socket:///path/to/socket or amqp://…"
)


def is_redis(url: str) -> bool:
    """Tell whether an address is one of Redis, in either way of writing."""
    return scheme_of(url) in (*OVER_TCP, SOCKET, CELERYS_SOCKET, sentinels.SCHEME)


def scheme_of(url: str) -> str:
    """Return how an address begins, up to `://`."""
    return url.partition("://")[0]


def for_celery(url: str) -> str:
    """Return an address as Celery and kombu write it."""
    if scheme_of(url) == sentinels.SCHEME and "?" in url:
        return sentinels.read(url).for_celery
    return _rewritten(redis_tls.explicit(url), SOCKET, CELERYS_SOCKET, names={"db": "virtual_host"})


def for_redis(url: str) -> str:
    """Return an address as redis-py writes it."""
    return _rewritten(redis_tls.explicit(url), CELERYS_SOCKET, SOCKET, names={"virtual_host": "db"})


def are_one(url: str, other: str) -> bool:
    """Tell whether two addresses, in whichever way of writing, are of one place."""
    return for_celery(for_redis(url)) == for_celery(for_redis(other))


def _rewritten(url: str, scheme: str, other: str, *, names: dict[str, str]) -> str:
    if scheme_of(url) != scheme:
        return url
    parts = urlsplit(url)
    query = urlencode([(names.get(name, name), value) for name, value in parse_qsl(parts.query)])
    # urlunsplit leaves out the slashes of an empty host for schemes that it does not know.
    rest = urlunsplit(("", "", parts.path, query, ""))
    return f"{other}://{parts.netloc}{rest}"


def with_login(url: str, user: str, password: str) -> str:
    """Return an address of Redis with a user and a password, whatever characters are in them."""
    scheme, _, rest = url.partition("://")
    place = rest.rpartition("@")[2]
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{place}"


def with_password(url: str, password: str) -> str:
    """Return an address of Redis with a password, unless it has one."""
    login, at, _ = url.partition("://")[2].rpartition("@")
    if at and ":" in login:
        return url
    return with_login(url, unquote(login), password)


def checked_redis(url: str) -> str:
    """Return an address of Redis as redis-py writes it, or `memory://`.

    Raises:
        ValueError: it is neither.
    """
    if scheme_of(url) == sentinels.SCHEME:
        sentinels.read(url)
        return url
    if url == "memory://" or is_complete(url):
        redis_tls.check(url)
        return for_redis(url)
    raise ValueError(f"it is no address of Redis, such as {EXAMPLES}{_hint(url)}")


def _hint(url: str) -> str:
    """Return what else is to be said where an odd letter of a password ended the address."""
    login = url.partition("://")[2].rpartition("@")[0]
    is_odd = any(letter in login for letter in "#?%/[]")
    return f"; in a password {ESCAPES}, or set REDIS_PASSWORD" if is_odd else ""


def is_complete(url: str) -> bool:
    """Tell whether an address of Redis has a port and a database that are numbers, if any.

    A password is whole: what begins its fragment or its query would have cut it off.
    """
    try:
        address = urlsplit(url)
        login = address.netloc.rpartition("@")[0]
        if address.fragment or "@" in address.path + address.query or BARE_PERCENT.search(login):
            return False
        is_whole = address.port != 0 and (address.path.strip("/") or "0").isdecimal()
    except ValueError:
        return False  # What should be its port is no number, or its host no IPv6 address.
    if address.scheme in (SOCKET, CELERYS_SOCKET):
        return bool(address.path)
    return address.scheme in OVER_TCP and is_whole


def checked_networks(text: str) -> str:
    """Return networks that are listed with commas.

    Raises:
        ValueError: one of them is none.
    """
    for each in listed(text):
        ip_network(each, strict=False)
    return text


def checked_ports(text: str) -> str:
    """Return ports that are listed with commas.

    Raises:
        ValueError: one of them is none.
    """
    for each in listed(text):
        if not (each.isdecimal() and 1 <= int(each) <= MAX_PORT):
            raise ValueError(f"{each!r} is no port, a number from 1 to {MAX_PORT}")
    return text


def checked_hosts(text: str) -> str:
    """Return hosts that are listed with commas.

    Raises:
        ValueError: one of them is none.
    """
    for each in listed(text):
        if not HOST.fullmatch(each):
            raise ValueError(f"{each!r} is no host, such as example.org or *.example.org")
        try:
            host_name(each.removeprefix("*."))
        except DownloadRefusedError as exc:
            raise ValueError(str(exc)) from exc
    return text


def checked_broker(url: str) -> str:
    """Return an address of a broker, or several with semicolons.

    Raises:
        ValueError: Celery could not connect to one of them.
    """
    # Imported here: who reads settings does not need a broker.
    from kombu.transport import TRANSPORT_ALIASES  # noqa: PLC0415

    for each in filter(None, url.split(";")):
        scheme = scheme_of(each)
        if scheme == SOCKET:
            raise ValueError(f"Celery writes a socket as {for_celery(each)}")
        is_known = scheme.partition("+")[0] in TRANSPORT_ALIASES and "://" in each
        if not is_known or not _could_be_reached(each):
            examples = f"{EXAMPLES_OF_BROKERS}{_hint(each)}"
            raise ValueError(f"it is no address of a broker, such as {examples}")
        redis_tls.check(each)
    return url


def _could_be_reached(url: str) -> bool:
    """Tell whether an address that kombu knows the kind of is whole."""
    if scheme_of(url) in (*OVER_TCP, CELERYS_SOCKET):
        return is_complete(url)
    try:
        address = urlsplit(url)
        has_port = address.port != 0
    except ValueError:
        return False
    return has_port and not address.fragment


def checked_backend(url: str) -> str:
    """Return an address of a result backend.

    Raises:
        ValueError: Celery knows none of that kind.
    """
    from celery.app.backends import BACKEND_ALIASES  # noqa: PLC0415 - as above

    kind = scheme_of(url).partition("+")[0]
    if kind in OVER_TCP and not is_complete(url):
        raise ValueError(f"it is no address of Redis, such as {EXAMPLES}{_hint(url)}")
    redis_tls.check(url)
    if kind == redis_tls.SCHEME and redis_tls.CHECK not in url:
        raise ValueError(f"Celery wants to be told how to check it: {redis_tls.explicit(url)}")
    if scheme_of(url) == SOCKET:
        raise ValueError(f"Celery writes a socket as {for_celery(url)}")
    if url and kind not in BACKEND_ALIASES and "." not in kind:
        raise ValueError("it is no address of a result backend; leave it out to use Redis")
    return url
