"""`python -m benchmarks.trace`: one picture's trace, as it comes out of a receiver of OTLP.

Starts the service with a receiver, a server of pictures and somebody who wants to be told, sends a
picture by address, and prints the spans as a tree. With `--document` it goes into that document.
"""

import argparse
import base64
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import requests

from benchmarks import report
from benchmarks.otlp import Received, Receiver, receiving
from benchmarks.service import SAMPLE, started_service

MARK = "trace"
LAST = "webhook"
CLIENT_SPAN = "00f067aa0ba902b7"
WARM = 4
"""Pictures before the one that is shown: each child has imported and opened what it needs."""
SECONDS = 60.0
LOOPBACK = "127.0.0.1/32"
LEFT_OUT = frozenset(
    {
        *("petiole.task_id", "petiole.request_id", "petiole.kind"),
        *("http.request.method", "http.route"),
    }
)
"""Attributes that most spans have, or that their names say."""


class _Elsewhere(BaseHTTPRequestHandler):
    """Gives the sample picture to whoever asks, and takes whatever it is told."""

    def do_GET(self) -> None:
        """Give the picture."""
        self._answer(SAMPLE.read_bytes())

    def do_POST(self) -> None:
        """Be told."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def elsewhere() -> Iterator[str]:
    """Run a server of pictures and webhooks; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = Thread(target=server.serve_forever, name="elsewhere")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def settings(receiver: Receiver) -> Mapping[str, str]:
    """Return what the service is started with."""
    secret = base64.b64encode(secrets.token_bytes(32))
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS": LOOPBACK,
        "PETIOLE_TASKS_WEBHOOK_ALLOW_NETWORKS": LOOPBACK,
        "PETIOLE_TASKS_WEBHOOK_SECRET": f"whsec_{secret.decode()}",
    }


def traced() -> list[Received]:
    """Start the service, send pictures, and return the spans of the last one."""
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        url = stack.enter_context(elsewhere())
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(started_service(state, environment=settings(receiver)))
        for _ in range(WARM):
            _sent(service.api, url, receiver)
        return _sent(service.api, url, receiver)


def _sent(api: str, url: str, receiver: Receiver) -> list[Received]:
    """Send a picture by address and return its spans, once its client was told."""
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{CLIENT_SPAN}-01"}
    body = {"image_url": f"{url}/coffee.jpg", "webhook_url": f"{url}/told"}
    requests.post(f"{api}/classify", json=body, headers=headers, timeout=SECONDS).raise_for_status()
    ends_at = monotonic() + SECONDS
    while LAST not in {span.name for span in receiver.of(trace_id)}:
        if monotonic() > ends_at:
            sys.exit(f"no span {LAST} within {SECONDS:g} s")
        sleep(0.1)
    return receiver.of(trace_id)


def text_of(spans: Sequence[Received], *, root: str = CLIENT_SPAN) -> str:
    """Return the spans as a tree: since when and for how long, in ms, by which part, and what."""
    begin = min(span.began_at for span in spans)
    rows = [("span", "from ms", "for ms", "part", "")]
    rows += [_row(span, depth, begin) for depth, span in _in_order(spans, root, 0)]
    lines = [f"{a:<20}{b:>9}{c:>9}  {d:<15}{e}".rstrip() for a, b, c, d, e in rows]
    return "\n".join(lines)


def _in_order(spans: Sequence[Received], parent: str, depth: int) -> Iterator[tuple[int, Received]]:
    for span in spans:
        if span.parent_id == parent:
            yield depth, span
            yield from _in_order(spans, span.span_id, depth + 1)


def _row(span: Received, depth: int, begin: float) -> tuple[str, str, str, str, str]:
    told = {
        key.removeprefix("petiole."): value
        for key, value in span.attributes.items()
        if key not in LEFT_OUT
    }
    return (
        "  " * depth + span.name,
        f"{1000 * (span.began_at - begin):.1f}",
        f"{1000 * (span.ended_at - span.began_at):.1f}",
        span.service,
        " ".join(f"{key}={value}" for key, value in told.items()),
    )


def main() -> None:
    """Trace a picture, print it, and write it into the document that was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    tree = text_of(traced())
    text = (
        f"{report.heading(f'The trace of {SAMPLE.name}, sent by its address.')}\n\n```\n{tree}\n```"
    )
    print(text)  # noqa: T201 - it is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
