"""gunicorn's event-loop worker, with Petiole's threads behind it.

gunicorn listens, forks, restarts and reads requests; what it refuses is a problem document, too.
"""

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from api import refusals, uploads
from api.bridge import Bridge
from api.settings import settings
from tasks.job_stores import notices

HEARTBEAT_SECONDS = 1.0
TURN_SECONDS = 0.05
LAST_REQUEST_SECONDS = 1.0
"""A connection that is kept alive may be used once more so long after a stop; the answer then
says `Connection: close`. One that is closed in the moment of its next request fails its client."""


UNHEARD_MS = 60_000
"""How long what was sent may stay unacknowledged: then a client is gone that could not say so."""


def _notice_silence(transport: Any) -> None:
    """Let the kernel end a connection whose other end is gone; else that takes it a quarter hour.

    A stream of events would hold its place so long, though it sends heartbeats.
    """
    peer = transport.get_extra_info("socket")
    if hasattr(socket, "TCP_USER_TIMEOUT") and peer.family in {socket.AF_INET, socket.AF_INET6}:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MS)


class Connection(ASGIProtocol):  # type: ignore[misc] # gunicorn has no annotations
    """One client's connection: counted, not for ever without a request, refused in JSON."""

    def connection_made(self, transport: Any) -> None:
        """Take the connection, unless all are taken."""
        super().connection_made(transport)
        self.worker.connections.add(self)
        _notice_silence(transport)
        seconds = settings().request_seconds
        self._first_request = self.worker.loop.call_later(seconds, self._end_silent, seconds)
        if len(self.worker.connections) > settings().max_connections:
            self._refuse(refusals.of(503, refusals.FULL))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._first_request.cancel()
        self.worker.connections.discard(self)

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

    def _end_silent(self, seconds: float) -> None:
        if self.req_count <= 1 and self.is_idle:
            self._refuse(refusals.too_slow(seconds))

    def _refuse(self, answer: refusals.Answer) -> None:
        self._safe_write(refusals.as_bytes(answer))
        self.end()

    def _send_error_response(
        self, status: int, message: str, extra_headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Send what gunicorn refuses as a problem document."""
        detail = f"{refusals.UNREADABLE}: {message}" if message else refusals.UNREADABLE
        self._safe_write(refusals.as_bytes(refusals.of(status, detail)))


class LoopWorker(ASGIWorker):  # type: ignore[misc] # as above
    """Reads requests in one loop, answers them in threads, and ends without losing one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Begin without connections."""
        super().__init__(*arguments, **options)
        self.connections: set[Connection] = set()
        self._stopping = asyncio.Event()

    def load_wsgi(self) -> None:
        """Load the WSGI application and put the bridge before it."""
        super().load_wsgi()
        self.asgi: Any = Bridge(
            self.asgi,
            threads=settings().threads,
            waiters=settings().max_waiters,
            max_body_bytes=uploads.max_body_bytes(),
            request_seconds=settings().request_seconds,
        )

    @property
    def is_stopping(self) -> bool:
        """Tell whether the doors are closed, or about to be."""
        return self._stopping.is_set()

    def handle_exit_signal(self) -> None:
        """Stop: answer what was asked, clients that wait at once with what is known.

        The worker stays `alive` meanwhile: gunicorn closes connections of one that is not, also
        those whose last answer, a moment before, did not say so; their clients' next requests fail.
        """
        self._stopping.set()

    def handle_quit_signal(self) -> None:
        """Stop at once."""
        super().handle_quit_signal()
        self._stopping.set()

    async def _serve(self) -> None:
        # Not gunicorn's own: it listens with a backlog of 100, and makes its own connections.
        backlog = self.cfg.backlog
        for listener in self.sockets:
            server = await self.loop.create_server(
                lambda: Connection(self), sock=listener.sock, backlog=backlog
            )
            self.servers.append(server)
        while not self.is_stopping and self.ppid == os.getppid():
            self.notify()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), HEARTBEAT_SECONDS)
        await self._shutdown()

    async def _shutdown(self) -> None:
        """Close the doors, then wait for the answers that are still due."""
        self._stopping.set()
        await self._close_doors()
        notices.end_waits()
        self.asgi.streams.end()
        ends_at = self.loop.time() + self.cfg.graceful_timeout
        idle_until = min(ends_at, self.loop.time() + LAST_REQUEST_SECONDS)
        while self._is_needed() and self.loop.time() < ends_at:
            if self.loop.time() >= idle_until:
                self._end_idle()
            self.notify()
            await asyncio.sleep(TURN_SECONDS)
        self.alive = False

    async def _close_doors(self) -> None:
        """Accept nothing more; what was accepted just now is answered.

        asyncio drops a connection whose server was closed before the loop has turned once more
        (`Server._attach` fails in `_accept_connection2`), and its client is told nothing.
        """
        for listener in self.sockets:
            self.loop.remove_reader(listener.sock.fileno())
        await asyncio.sleep(TURN_SECONDS)
        for server in self.servers:
            server.close()

    def _is_needed(self) -> bool:
        return not self._quick_shutdown and bool(self.connections or self.asgi.is_busy)

    def _end_idle(self) -> None:
        for connection in [each for each in self.connections if each.is_idle]:
            connection.end()
