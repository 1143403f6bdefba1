"""gunicorn's event-loop worker, with Petiole's threads behind it.

gunicorn listens, forks, restarts and reads requests, one `Connection` for each client.
"""

import asyncio
import os
from contextlib import suppress
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from api import access, bulk_bodies, uploads
from api.bridge import Bridge
from api.connection import Connection
from api.intake import Intake
from api.settings import settings
from tasks.job_stores import notices

HEARTBEAT_SECONDS = 1.0
TURN_SECONDS = 0.05
LAST_REQUEST_SECONDS = 1.0
"""A connection that is kept alive may be used once more so long after a stop; the answer then
says `Connection: close`. One that is closed in the moment of its next request fails its client."""


class LoopWorker(ASGIWorker):  # type: ignore[misc] # as above
    """Reads requests in one loop, answers them in threads, and ends without losing one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Begin without connections."""
        super().__init__(*arguments, **options)
        self.connections: set[Connection] = set()
        self.refused: set[Connection] = set()
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
            intakes={bulk_bodies.ROUTE: Intake.of_bulk()},
        )
        self.asgi.admits = access.may_send

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
        self.asgi.end_streams()
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
        return not self._quick_shutdown and bool(
            self.connections or self.refused or self.asgi.is_busy
        )

    def _end_idle(self) -> None:
        for connection in [each for each in self.connections if each.is_idle]:
            connection.end()
