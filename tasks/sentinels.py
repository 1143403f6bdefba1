"""Addresses of Redis behind Sentinels, which say which server is the master at the moment.

`sentinel://user:password@one:26379/0;sentinel://two:26379?master_name=petiole`: user, password and
database are those of the first part, and of the Redis servers; Sentinels are asked without any.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from redis import sentinel

_Sentinel: Any = sentinel.Sentinel  # it has no annotations

SCHEME = "sentinel"
PORT = 26_379
EXAMPLE = "sentinel://one:26379/0;sentinel://two:26379/0?master_name=NAME"


@dataclass(frozen=True)
class Sentinels:
    """Who is asked for which master, and how that is spoken to."""

    hosts: tuple[tuple[str, int], ...]
    master_name: str
    user: str
    password: str
    database: int

    @property
    def for_celery(self) -> str:
        """What Celery and kombu take: each part is complete, and the name is an option apart."""
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        shown = login if self.user or self.password else ""
        return ";".join(
            f"{SCHEME}://{shown}{_in_address(host)}:{port}/{self.database}"
            for host, port in self.hosts
        )


def read(url: str) -> Sentinels:
    """Return what an address says.

    Raises:
        ValueError: it is none, or names no master.
    """
    members, _, query = url.partition("?")
    parts = [urlsplit(member) for member in members.split(";")]
    options = parse_qs(query, strict_parsing=bool(query))
    if any(part.scheme != SCHEME or not part.hostname or part.fragment for part in parts):
        raise ValueError(f"it is no address of Sentinels, such as {EXAMPLE}")
    if set(options) != {"master_name"}:
        raise ValueError(f"it names no master, and nothing but that after its ?: {EXAMPLE}")
    return Sentinels(
        hosts=tuple((str(part.hostname), part.port or PORT) for part in parts),
        master_name=options["master_name"][0],
        user=unquote(parts[0].username or ""),
        password=unquote(parts[0].password or ""),
        database=int(parts[0].path.strip("/") or 0),
    )


def connect(url: str, **options: Any) -> Any:
    """Return a client of whichever server is the master when it connects."""
    sentinels = read(url)
    timeouts = {name: value for name, value in options.items() if name.startswith("socket_")}
    return _Sentinel(sentinels.hosts, sentinel_kwargs=timeouts).master_for(
        sentinels.master_name,
        db=sentinels.database,
        username=sentinels.user or None,
        password=sentinels.password or None,
        **options,
    )


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
