"""Short questions to the parts of a service: does it listen, does it answer, is it ready?"""

import os
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
import requests

HTTP_SECONDS = 5.0
LAST_PORT = 65_535


@dataclass(frozen=True)
class Readiness:
    """What `/readyz` says.

    Attributes:
        missing: Why a picture sent now would not be classified; empty when it would.
        answered: Whether it was the API that said so.
        checks: What became of each look, `ok` or why not.
        warnings: What the service cannot promise although it is ready.
        children: What each classify child says of itself, as the API lists it.
        downloaders: The same of the download workers.
        bulk_children: The same of the children that do many pictures at once.
    """

    missing: str
    answered: bool = True
    checks: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    children: tuple[Mapping[str, Any], ...] = ()
    downloaders: tuple[Mapping[str, Any], ...] = ()
    bulk_children: tuple[Mapping[str, Any], ...] = ()

    @property
    def ready_children(self) -> int:
        """How many classify children take pictures."""
        return sum(child["state"] == "ready" for child in self.children)

    @property
    def models(self) -> list[str]:
        """Return what the children have in memory, each version once, as `imagenet@1 on …`."""
        return sorted({model for child in self.children for model in child.get("models") or ()})


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_port_after(port: int, *, but: Collection[int] = ()) -> int:
    """Return the first free port above `port` that is not among others; any one if none is."""
    above = (each for each in range(port + 1, LAST_PORT + 1) if each not in but)
    return next((each for each in above if port_is_free(each)), None) or free_port()


def credentials() -> dict[str, str]:
    """Return the header that shows the key of `PETIOLE_KEY`, where there is one."""
    key = os.environ.get("PETIOLE_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def readiness_of(api_url: str) -> Readiness:
    """Ask the API whether a picture sent now would be classified."""
    try:
        url = f"{api_url}/readyz"
        response = requests.get(url, timeout=HTTP_SECONDS, headers=credentials())
        document = response.json()
        missing = "" if response.ok else str(document["detail"])
        checks = document["checks"]
    except (requests.RequestException, KeyError, TypeError) as exc:
        why = f"{api_url}/readyz gives no answer ({type(exc).__name__})"
        return Readiness(why, answered=False)
    return Readiness(
        missing=missing,
        checks=checks,
        warnings=tuple(document.get("warnings", ())),
        children=tuple(document.get("children", ())),
        downloaders=tuple(document.get("downloaders", ())),
        bulk_children=tuple(document.get("bulk_children", ())),
    )


def missing_at(api_url: str) -> str:
    """Return why a picture sent to the API now would not be classified; empty when it would.

    A download worker that has not announced itself is missing too.
    """
    found = readiness_of(api_url)
    return found.missing or ("" if found.downloaders else "missing: a download worker")


def no_answer_of(url: str) -> str:
    """Return why a GET of `url` is not answered with success; empty when it is."""
    try:
        response = requests.get(url, timeout=HTTP_SECONDS)
    except requests.RequestException as exc:
        return f"{url} gives no answer ({type(exc).__name__})"
    return "" if response.ok else f"{url} answers {response.status_code}"


def no_redis_at(url: str) -> str:
    """Return why PING is not answered at `url`, for instance while the server loads its file."""
    # Imported here: Celery, which most commands need not load.
    from tasks.job_stores.connection import connect  # noqa: PLC0415

    try:
        connect(url, patience_seconds=1.0).ping()
    except redis.RedisError as exc:
        return str(exc)
    return ""
