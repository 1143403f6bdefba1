"""One client's connection, as gunicorn reads it: counted, not for ever, refused in JSON.

What is refused here never reaches the application, so whatever a refusal needs to know of its
request, its id and the page's origin, is read here.
"""

import re
import socket
from http import HTTPStatus
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol

from api import heads, refusals
from api.bridge import LINGER_SECONDS
from api.refusals import Asker
from api.settings import settings

UNHEARD_MS = 60_000
"""How long what was sent may stay unacknowledged: then a client is gone that could not say so."""

MOST_HEAD_BYTES = 65_536
"""So much of a head is looked through for the origin of a request that is refused for its head."""

HEARD_SECONDS = 1.0
MOST_HEARD = 100
"""So many connections too many, and so long, are waited for until their request's head is there:
a browser shows a page no answer that came before it asked."""

HEADER = re.compile(rb"\n(origin|x-request-id):[ \t]*([^\r\n]*?)[ \t]*(?=\r?\n)", re.IGNORECASE)


class Connection(ASGIProtocol):  # type: ignore[misc] # gunicorn has no annotations
    """One client's connection, in one of the worker's places or about to be refused."""

    def connection_made(self, transport: Any) -> None:
        """Take a place, unless all are taken."""
        self._head = bytearray()
        super().connection_made(transport)
        _notice_silence(transport)
        has_place = len(self.worker.connections) < settings().max_connections
        (self.worker.connections if has_place else self.worker.refused).add(self)
        if has_place:
            seconds = settings().request_seconds
            self._timer = self.worker.loop.call_later(seconds, self._end_silent, seconds)
        else:
            seconds = HEARD_SECONDS if len(self.worker.refused) <= MOST_HEARD else 0.0
            self._timer = self.worker.loop.call_later(seconds, self._refuse_for_room)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._timer.cancel()
        self.worker.connections.discard(self)
        self.worker.refused.discard(self)

    def data_received(self, data: bytes) -> None:
        """Read on; what comes after a refusal is thrown away."""
        if not self._closed:
            super().data_received(data)

    @property
    def is_idle(self) -> bool:
        """Tell whether no request is being answered."""
        return bool(self._awaiting_request)

    def end(self) -> None:
        """Close the connection, and let its task end."""
        self._close_transport()
        self._request_ready.set()

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        """Say `Connection: close` in what is answered during a stop."""
        will_close: bool = super()._will_close(request, response_requires_close)
        return will_close or self.worker.is_stopping

    def _feed_callback_parser(self, data: bytes) -> bool:
        if self._current_request is None:
            self._head += data[: MOST_HEAD_BYTES - len(self._head)]
        try:
            is_open: bool = super()._feed_callback_parser(data)
        except ValueError:
            # Python reads no number of thousands of digits, and gunicorn does not expect that.
            self._send_error_response(HTTPStatus.BAD_REQUEST, "a length is no length")
            self._close_transport()
            return False
        return is_open

    def _on_headers_complete(self) -> bool:
        if self in self.worker.refused:
            self._refuse_for_room()
            return True
        parser = self._callback_parser
        heads.check(parser.http_version, parser.path, parser.headers)
        self._head.clear()
        skips_body: bool = super()._on_headers_complete()
        return skips_body

    def _asker(self) -> Asker:
        """Return what is known of who sent the request, as far as it has come."""
        if self._current_request is None:
            return Asker.of((name.lower(), value) for name, value in HEADER.findall(self._head))
        return Asker.of(self._current_request.headers_bytes)

    def _end_silent(self, seconds: float) -> None:
        if self.req_count <= 1 and self.is_idle:
            self._refuse(refusals.too_slow(seconds, self._asker()))

    def _refuse_for_room(self) -> None:
        if not self._closed:
            self._refuse(refusals.of(503, refusals.FULL, self._asker()))

    def _refuse(self, answer: refusals.Answer) -> None:
        """Send an answer and give the place back, reading on for a while.

        A connection that is closed over unread bytes is reset, and its client sees no answer.
        """
        self._safe_write(refusals.as_bytes(answer))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._closed = True  # gunicorn leaves it alone from here
        self._request_ready.set()
        self.worker.connections.discard(self)
        self.worker.refused.add(self)
        self._timer.cancel()
        self._timer = self.worker.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _send_error_response(
        self, status: int, message: str, extra_headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Send what gunicorn refuses as a problem document."""
        detail = f"{refusals.UNREADABLE}: {message}" if message else refusals.UNREADABLE
        answer = refusals.of(status, detail, self._asker())
        if self._current_request is None:
            self._refuse(answer)
        else:
            self._safe_write(refusals.as_bytes(answer))


def _notice_silence(transport: Any) -> None:
    """Let the kernel end a connection whose other end is gone; else that takes it a quarter hour.

    A stream of events would hold its place so long, though it sends heartbeats.
    """
    peer = transport.get_extra_info("socket")
    if hasattr(socket, "TCP_USER_TIMEOUT") and peer.family in {socket.AF_INET, socket.AF_INET6}:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MS)
