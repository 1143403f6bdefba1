"""The running service that is to be hurt: its addresses, what it says of itself, its jobs."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis
import requests

from api.settings import ApiSettings
from petiole import parts, probes, running
from petiole.chaos.errors import RefusedError
from petiole.probes import HTTP_SECONDS
from petiole.running import ServiceNote
from tasks import readiness, redis_checks, stores
from tasks.bad_settings import without_password
from tasks.errors import ServiceUnavailableError
from tasks.job_stores import Job
from tasks.readiness import Note
from tasks.settings import settings

LOOKING = 8
"""How many are looked up or forgotten at the same time."""


@dataclass(frozen=True)
class Installation:
    """A service that is ready.

    Attributes:
        api: The address of its API.
        children: Its ready classify children, as `/readyz` names them.
        note: What `petiole up` wrote of it, where that runs it.
        why_no_jobs: Why its job records cannot be read from here; empty when they can.
    """

    api: str
    children: tuple[str, ...]
    note: ServiceNote | None
    why_no_jobs: str

    def notes(self) -> list[Note]:
        """Return what its worker processes say of themselves, from the job store.

        Raises:
            RefusedError: the job store is not that of this service.
            ServiceUnavailableError: it does not answer.
        """
        if self.why_no_jobs:
            raise RefusedError(self.why_no_jobs)
        return readiness.notes(stores.prompt_job_store())

    def redis_servers(self) -> dict[str, str]:
        """Return the URLs of broker and job store with what each is, where they are Redis.

        Raises:
            RefusedError: the broker is none, or it is not that of this service.
        """
        if self.why_no_jobs:
            raise RefusedError(self.why_no_jobs)
        servers = redis_checks.servers()
        if not any(redis_checks.BROKER in name for name in servers.values()):
            raise RefusedError("the broker is not Redis, and this is done to Redis' own queues")
        return servers

    def doubled(self, task_ids: Iterable[str]) -> int | None:
        """Return how often these jobs were started beyond once, as their records say.

        A start that was taken back, because a store was away, is none. None when a record cannot be
        read: then nobody knows.
        """
        jobs = self._jobs(task_ids)
        if None in jobs:
            return None
        return sum(max(0, job.fence - job.postponed - 1) for job in jobs if job is not None)

    def sent_again(self, task_ids: Iterable[str]) -> int:
        """Return for how many of these jobs a message was sent once more."""
        return sum(job is not None and job.resent > 0 for job in self._jobs(task_ids))

    def _jobs(self, task_ids: Iterable[str]) -> list[Job | None]:
        """Return the records of jobs; None in the place of one that cannot be read."""
        ids = list(task_ids)
        if self.why_no_jobs:
            return [None] * len(ids)
        try:
            with ThreadPoolExecutor(LOOKING) as pool:
                return list(pool.map(stores.prompt_job_store().get, ids))
        except ServiceUnavailableError:
            return [None] * len(ids)


def find(api: str) -> Installation:
    """Return the service at this address, or the one that the settings and `service.json` name.

    Raises:
        RefusedError: it is not ready.
    """
    api = api.rstrip("/") or parts.url_of(ApiSettings().host, ApiSettings().port)
    children = tuple(child["process"] for child in _ready(api)["children"])
    note = running.find()
    ours = note if note is not None and note.api_url == api else None
    return Installation(api, children, ours, _why_no_jobs(api, children))


def forbidden(url: str, *commands: tuple[str, ...]) -> str:
    """Return why a Redis would refuse one of these commands, which are not carried out."""
    try:
        refusal = redis_checks.refusal(url, commands)
    except ServiceUnavailableError as exc:
        return str(exc)
    return redis_checks.cure(refusal) if refusal else ""


def address(url: str) -> str:
    """Return an address as it may be shown."""
    return str(without_password(url))


def server_of(url: str) -> tuple[str, int]:
    """Return the host and port of a Redis, which several databases and URLs may share."""
    parsed = urlsplit(url)
    return parsed.hostname or parsed.path, parsed.port or 6379


def connect(url: str) -> Any:
    """Return a client of a Redis; Any because redis-py types every answer as awaitable."""
    return redis.Redis.from_url(
        url, decode_responses=True, socket_timeout=HTTP_SECONDS, socket_connect_timeout=2
    )


def _ready(api: str) -> dict[str, Any]:
    """Return what `/readyz` says of a service that is ready."""
    url = f"{api}/readyz"
    try:
        response = requests.get(url, timeout=HTTP_SECONDS, headers=probes.credentials())
        document = response.json()
    except requests.RequestException as exc:
        raise RefusedError(
            f"{url} gives no answer of Petiole ({type(exc).__name__}); start the service, or name"
            " its address with --api"
        ) from exc
    if not response.ok or "children" not in document:
        detail = document.get("detail", response.status_code)
        raise RefusedError(f"{url} says that the service is not ready: {detail}; mend that first")
    return dict(document)


def _why_no_jobs(api: str, children: tuple[str, ...]) -> str:
    """Return why the job store of our settings is not that of the service; empty when it is.

    It is when it knows the children that the API names.
    """
    where, remedy = address(settings().job_store_url), f"set REDIS_URL to the Redis of {api}"
    try:
        known = readiness.classify_children(stores.prompt_job_store())
    except ServiceUnavailableError:
        return f"{where} does not answer; {remedy}"
    if {note.process for note in known}.isdisjoint(children):
        return f"{where} knows no worker of that service; {remedy}"
    return ""
