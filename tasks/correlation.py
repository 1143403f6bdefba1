"""What the work at hand belongs to: the id of the client's request, and the trace of it.

Both come with the request or are made for it, travel in the records of its jobs and bulks, and are
in every line that is logged meanwhile.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import uuid4

REQUEST_ID_HEADER: Final = "X-Request-ID"
TRACEPARENT_HEADER: Final = "traceparent"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)
"""Version, trace id, id of the span that asks, flags (W3C Trace Context, 3.2)."""


@dataclass(frozen=True)
class Correlation:
    """The id of a request and its `traceparent`; either is empty where there is none."""

    request_id: str = ""
    trace: str = ""

    @property
    def trace_id(self) -> str:
        """The id of the trace, or nothing."""
        return self.trace[3:35]


class Correlated(Protocol):
    """Whatever travels with both, such as a job."""

    @property
    def request_id(self) -> str:
        """The id of the request."""

    @property
    def trace(self) -> str:
        """Its `traceparent`."""


NOTHING: Final = Correlation()

_current: ContextVar[Correlation] = ContextVar("correlation", default=NOTHING)


def current() -> Correlation:
    """Return what the work of this thread belongs to."""
    return _current.get()


def begin(correlation: Correlation) -> None:
    """Let the work of this thread belong to a request from now on, or to `NOTHING`."""
    _current.set(correlation)


@contextmanager
def of(what: Correlated) -> Iterator[None]:
    """Let what is done in the block belong to the request that a job came from."""
    token = _current.set(Correlation(what.request_id, what.trace))
    try:
        yield
    finally:
        _current.reset(token)


def request_id_of(said: str) -> str:
    """Return the id that a client gave its request; a new one where that is none or not plain."""
    return said if _REQUEST_ID.fullmatch(said) else uuid4().hex


def traceparent_of(said: str) -> str:
    """Return the `traceparent` that a client sent; nothing where that is none."""
    return said if _TRACEPARENT.fullmatch(said) else ""
