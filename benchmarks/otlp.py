"""A receiver of traces: takes OTLP over HTTP, as collectors do, and keeps what was sent."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.proto.trace.v1.trace_pb2 import Status

PATH = "/v1/traces"
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Received:
    """One span as it came; ids are hexadecimal, times in seconds since the epoch.

    `links` are (trace id, span id).
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    service: str
    began_at: float
    ended_at: float
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    error: str


@dataclass
class Receiver:
    """What has come so far, and where it listens."""

    endpoint: str
    spans: list[Received] = field(default_factory=list)

    def of(self, trace_id: str) -> list[Received]:
        """Return the spans of one trace, the first to begin first."""
        found = [span for span in list(self.spans) if span.trace_id == trace_id]
        return sorted(found, key=lambda span: (span.began_at, -span.ended_at))


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a free port of loopback until the block ends."""
    receiver = Receiver("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    receiver.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, name="otlp")
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers as OTLP's specification says."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take spans, if that is what it is."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            is_ours = (self.path, self.headers["Content-Type"]) == (PATH, PROTOBUF)
            if is_ours:
                receiver.spans += received(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if is_ours else 404)
            self.send_header("Content-Type", PROTOBUF)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


def received(request: ExportTraceServiceRequest) -> list[Received]:
    """Return the spans of a request."""
    return [
        _span(span, str(_values(group.resource.attributes).get("service.name", "")))
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _span(span: Sent, service: str) -> Received:
    failed = span.status.code == Status.STATUS_CODE_ERROR
    return Received(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=Sent.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        service=service,
        began_at=span.start_time_unix_nano / 1e9,
        ended_at=span.end_time_unix_nano / 1e9,
        attributes=_values(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        error=(span.status.message or "error") if failed else "",
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
