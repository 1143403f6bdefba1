"""Whether this process records spans, and what one is.

The id of a span that others refer to follows from what it is of, as from a job and how often that
was started. So nobody has to be told it: who is killed with a job in hand leaves nothing to look
up.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from os import environ
from typing import Any, Final, Protocol

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SAMPLED: Final = 1
SERVER, CLIENT, PRODUCER, CONSUMER, INTERNAL = (
    "SERVER",
    "CLIENT",
    "PRODUCER",
    "CONSUMER",
    "INTERNAL",
)
"""Kinds of spans, as OpenTelemetry names them."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Span:
    """Something that took a while; times are in seconds since the epoch.

    Attributes:
        parent: The `traceparent` of what it was done for; empty for the first of a trace.
        own: Its own, where others refer to it.
        links: Those of spans that it follows, and is no part of.
        error: Why it failed, or nothing.
    """

    name: str
    parent: str
    began_at: float
    ended_at: float
    own: str = ""
    kind: str = INTERNAL
    links: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class OpenSpan(Protocol):
    """A span that is not over, with the `traceparent` of what is done for it."""

    trace: str

    def end(self, name: str, attributes: Mapping[str, Any], *, error: str = "") -> None:
        """End it now, under the name that is known by then."""


class Recorder(Protocol):
    """Takes spans and sends them; it never waits."""

    def open(self, parent: str, *, began_at: float) -> OpenSpan:
        """Begin the span of a request; its sampling decides for all that is done for it."""

    def record(self, span: Span) -> None:
        """Take a span that is over."""

    def end(self) -> None:
        """Send what is left, within a moment."""


class _Process:
    """What this process records with, if it does."""

    recorder: Recorder | None = None


def begin(part: str) -> None:
    """Record from now on what `part` of the service does, if the environment asks for that.

    It starts a thread, so it is called in the process that does the work, after any fork.
    """
    if not is_wanted():
        return
    try:
        # Imported here: it is an extra, and nobody pays for it who does not use it.
        from tasks.tracing.recorder import OpenTelemetry  # noqa: PLC0415
    except ImportError as exc:
        reason = {"reason": f"{ENDPOINTS[0]} is set, but {exc.name} is missing: petiole[traces]"}
        logger.warning("traces not recorded", extra=reason)
        return
    _Process.recorder = OpenTelemetry(part)


def end() -> None:
    """Send what is left, and record nothing more."""
    recorder, _Process.recorder = _Process.recorder, None
    if recorder is not None:
        recorder.end()


def is_wanted() -> bool:
    """Tell whether the environment asks for traces."""
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_disabled and any(environ.get(name) for name in ENDPOINTS)


def is_recorded(trace: str) -> bool:
    """Tell whether what is done for a trace is recorded: here, and by the sampling of its first."""
    return (
        bool(trace) and _Process.recorder is not None and int(trace[-2:], 16) & SAMPLED == SAMPLED
    )


def open_span(parent: str, *, began_at: float) -> OpenSpan | None:
    """Begin the span of a request, where this process records any."""
    recorder = _Process.recorder
    return None if recorder is None else recorder.open(parent, began_at=began_at)


def record(trace: str, make: Callable[[], Span]) -> None:
    """Take the span that `make` returns, where what is done for a trace is recorded."""
    if is_recorded(trace) and (recorder := _Process.recorder) is not None:
        recorder.record(make())


def below(trace: str, *what: object) -> str:
    """Return the `traceparent` of the span of something in a trace."""
    span_id = sha256(" ".join(map(str, what)).encode()).hexdigest()[:16]
    return f"{trace[:36]}{span_id}{trace[52:]}"
