"""What was seen from outside: every request with its answer, every accepted picture and its end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any, Generic, TypeVar

import requests

P = TypeVar("P")
"""Whatever is known of a picture that is sent."""

NO_ANSWER = 0
NO_HEADERS: Mapping[str, str] = {}
ACCEPTED = 202
TIMEOUT_SECONDS = 10.0
END_STATES = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@dataclass(frozen=True)
class Attempt:
    """One request: when it was sent, its answer's status (0: none came), and how long it took.

    `error` is why none came, or what a problem document says.
    """

    at: float
    verb: str
    status: int
    seconds: float
    error: str = ""
    retry_after: str = ""
    """The answer's header of that name, as it stands there."""


@dataclass(frozen=True)
class Accepted(Generic[P]):
    """A picture that the API promised to answer; without one, any end is right."""

    at: float
    picture: P | None


@dataclass(frozen=True)
class End:
    """How a job ended, as its client saw it first."""

    at: float
    state: str
    document: dict[str, Any]


@dataclass
class Journal(Generic[P]):
    """Everything that happened between those who send and the API; safe between threads."""

    attempts: list[Attempt] = field(default_factory=list)
    accepted: dict[str, Accepted[P]] = field(default_factory=dict)
    ends: dict[str, End] = field(default_factory=dict)
    refused: list[P] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """Jobs whose end was another one when it was looked at again."""
    lock: Lock = field(default_factory=Lock)

    def send(self, api: str, picture: P | None, **sent: Any) -> str | None:
        """POST one picture as `sent` says; return its task id when it was accepted.

        Without a picture any typed end is right.
        """
        return self._accept(self.request("POST", f"{api}/classify", **sent), picture)

    def look(self, api: str, task_id: str) -> bool:
        """GET one result; True when the job is over."""
        response = self.request("GET", f"{api}/result/{task_id}")
        state = "" if response is None else _member(response, "state")
        if response is None or state not in END_STATES:
            return False
        end = End(monotonic(), state, response.json())
        with self.lock:
            first = self.ends.setdefault(task_id, end)
            if first.document != end.document:
                self.changed.append(task_id)
        return True

    def request(
        self,
        verb: str,
        url: str,
        *,
        kind: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
        **sent: Any,
    ) -> requests.Response | None:
        """Send one request and write down what came of it; None when nothing came.

        Each has a connection of its own, so that none is lost with a server that restarts.
        `sent` is handed on to `requests`; `kind` is the type of a body that has no other.
        """
        named = {**headers, "Connection": "close"} | ({"Content-Type": kind} if kind else {})
        at, error, response = monotonic(), "", None
        try:
            response = requests.request(verb, url, headers=named, timeout=TIMEOUT_SECONDS, **sent)
        except requests.RequestException as exc:
            error = type(exc).__name__
        status, later = NO_ANSWER, ""
        if response is not None:
            status, later = response.status_code, response.headers.get("Retry-After", "")
            error = "" if response.ok else _member(response, "detail")
        with self.lock:
            self.attempts.append(Attempt(at, verb, status, monotonic() - at, error, later))
        return response

    def open(self) -> list[str]:
        """Return the accepted jobs whose end nobody has seen."""
        with self.lock:
            return [task_id for task_id in self.accepted if task_id not in self.ends]

    def open_since(self, moment: float, *, recent: bool) -> list[str]:
        """Return the open jobs that were accepted after that moment, or those from before it."""
        return [i for i in self.open() if (self.accepted[i].at >= moment) == recent]

    def ended_between(self, begin: float, end: float) -> int:
        """Return how many jobs were seen to end in that time."""
        with self.lock:
            return sum(begin <= seen.at < end for seen in self.ends.values())

    def pictures(self) -> Iterable[P]:
        """Return every accepted picture whose answer is known."""
        return [job.picture for job in self.accepted.values() if job.picture is not None]

    def _accept(self, response: requests.Response | None, picture: P | None) -> str | None:
        if response is not None and response.status_code == ACCEPTED:
            task_id = str(response.json()["task_id"])
            with self.lock:
                self.accepted[task_id] = Accepted(monotonic(), picture)
            return task_id
        if response is not None and picture is not None:
            with self.lock:
                self.refused.append(picture)
        return None


def _member(response: requests.Response, name: str) -> str:
    """Return a member of an answer's document; empty where it has none, or is none."""
    try:
        return str(response.json().get(name, ""))
    except (requests.JSONDecodeError, AttributeError):
        return ""
