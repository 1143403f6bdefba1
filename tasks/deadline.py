"""A wall-clock limit on everything that one requests session does.

requests' own timeout starts anew with every byte; a server that drips its header or body
could hold a thread for hours.
"""

import socket
from collections.abc import Callable
from threading import Lock, Timer
from time import monotonic
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from tasks import guarded


class Deadline:
    """Shuts down the watched sockets once `seconds` have passed; a context manager."""

    def __init__(self, seconds: float) -> None:
        """Start counting now."""
        self._ends_at = monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._lock = Lock()
        self._timer = Timer(seconds, self._shut_down)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Arm the deadline."""
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disarm it."""
        self._timer.cancel()

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return monotonic() >= self._ends_at

    def guard(self, session: requests.Session) -> None:
        """Watch every connection that `session` will open."""
        for adapter in session.adapters.values():
            if isinstance(adapter, HTTPAdapter):
                adapter.poolmanager.pool_classes_by_scheme = {
                    "http": self._watched_pool(HTTPConnectionPool),
                    "https": self._watched_pool(HTTPSConnectionPool),
                }

    def _watched_pool(self, pool_class: Callable[..., Any]) -> Any:
        def build(*args: Any, **kwargs: Any) -> Any:
            pool = pool_class(*args, **kwargs)
            pool.ConnectionCls = self._watched_connection(pool.ConnectionCls)
            return pool

        return build

    def _watched_connection(self, connection_class: Any) -> Any:
        deadline = self

        class Watched(connection_class):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                guarded.check_peer(self.sock, self.host)
                deadline.watch(self.sock)

        return Watched

    def watch(self, connection: socket.socket) -> None:
        """Shut this socket down when the time is over, or at once when it is already."""
        with self._lock:
            self._sockets.append(connection)
        if self.passed:
            self._shut_down()

    def _shut_down(self) -> None:
        with self._lock:
            for connection in self._sockets:
                _shut_down_quietly(connection)


def _shut_down_quietly(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Closed already: the download ended in the same moment, and nothing waits on it.
        return
