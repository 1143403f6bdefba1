"""Spans as OpenTelemetry's: sent over OTLP by a thread of its own, as `OTEL_*` says."""

import logging
from collections.abc import Mapping
from os import environ
from threading import Thread, local
from time import monotonic
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from tasks.tracing.recording import Span

LAST_SECONDS = 2.0
"""So long a process that ends tries to send what is left."""
SAID_EVERY_SECONDS = 60.0

logger = logging.getLogger(__name__)


class OpenTelemetry:
    """Records the spans of one process."""

    def __init__(self, part: str) -> None:
        """Begin to send; a collector that cannot be reached is a line of the log each minute."""
        library = logging.getLogger("opentelemetry")
        library.handlers, library.propagate = [_Seldom()], False
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create({} if _is_named() else {"service.name": f"petiole-{part}"}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("petiole")

    def open(self, parent: str, *, began_at: float) -> "Request":
        """Begin the span of a request."""
        context = _context_of(parent) if parent else Context()
        span = self._tracer.start_span(
            "HTTP", context=context, kind=SpanKind.SERVER, start_time=_nanoseconds(began_at)
        )
        return Request(span)

    def record(self, span: Span) -> None:
        """Take a span that is over."""
        self._ids.next = int(span.own[36:52], 16) if span.own else 0
        found = self._tracer.start_span(
            span.name,
            context=_context_of(span.parent),
            kind=SpanKind[span.kind],
            attributes=dict(span.attributes),
            links=[Link(_span_context_of(each)) for each in span.links],
            start_time=_nanoseconds(span.began_at),
        )
        if span.error:
            found.set_status(Status(StatusCode.ERROR, span.error))
        found.end(_nanoseconds(span.ended_at))

    def end(self) -> None:
        """Send what is left, within a moment: the SDK itself would wait for half a minute."""
        last = Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        last.start()
        last.join(LAST_SECONDS)


class Request:
    """The span of a request that is being answered."""

    def __init__(self, span: trace.Span) -> None:
        """Be the open `span`."""
        self._span = span
        context = span.get_span_context()
        flags = int(context.trace_flags) & TraceFlags.SAMPLED
        self.trace = f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"

    def end(self, name: str, attributes: Mapping[str, Any], *, error: str = "") -> None:
        """End it now."""
        self._span.update_name(name)
        self._span.set_attributes(dict(attributes))
        if error:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


class _Ids(RandomIdGenerator):
    """Gives a span the id that this thread has set for the next one, else a random one."""

    def __init__(self) -> None:
        self._threads = local()

    @property
    def next(self) -> int:
        """The id of this thread's next span; 0 for any."""
        return int(getattr(self._threads, "next", 0))

    @next.setter
    def next(self, span_id: int) -> None:
        self._threads.next = span_id

    def generate_span_id(self) -> int:
        """Return an id, and forget it."""
        span_id, self.next = self.next, 0
        return span_id or super().generate_span_id()


class _Seldom(logging.Handler):
    """Hands on what the library says, once a minute at most: each lost batch says the same."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said_at = -SAID_EVERY_SECONDS

    def emit(self, record: logging.LogRecord) -> None:
        """Log a line of ours in the place of the library's."""
        if monotonic() - self._said_at >= SAID_EVERY_SECONDS:
            self._said_at = monotonic()
            logger.warning("traces not sent", extra={"reason": record.getMessage()})


def _is_named() -> bool:
    """Tell whether the operator named the service."""
    said = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return bool(environ.get("OTEL_SERVICE_NAME")) or "service.name=" in said


def _context_of(parent: str) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_span_context_of(parent)), Context())


def _span_context_of(traceparent: str) -> SpanContext:
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:55], 16)),
    )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
