"""A wire between workers and Redis that can be cut: bytes then stop, and no connection closes.

A network cable does the same. It is a proxy in threads because the machine may not let us make
network devices, and its kernel may have no traffic control.
"""

import socket
from contextlib import suppress
from threading import Event, Thread
from time import sleep

CHUNK_BYTES = 65_536
WAITS, NOTHING_CAME = b"BRPOP", b"*-1\r\n"
WAIT_SECONDS = 1.0
"""How long kombu asks Redis to wait for a message."""


class Wire:
    """Forwards every connection to its port to another port of this machine."""

    def __init__(self, target_port: int) -> None:
        """Listen on a free port."""
        self._target_port = target_port
        self._whole = Event()
        self._whole.set()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._ends: list[socket.socket] = []
        self._stranded: frozenset[socket.socket] = frozenset()
        self._silent: frozenset[socket.socket] = frozenset()
        self.port = int(self._server.getsockname()[1])
        Thread(target=self._accept, name="wire", daemon=True).start()

    def cut(self) -> None:
        """Let nothing through; what is sent meanwhile waits on its side."""
        self._whole.clear()

    def mend(self) -> None:
        """Let everything through again, first of all what waited."""
        self._whole.set()

    def strand(self) -> None:
        """Answer each wait for a message with nothing, on the connections that are there now.

        So does a server that was left behind by a failover, to which a proxy still holds them.
        """
        self._stranded = frozenset(self._ends)

    def silence(self) -> None:
        """Let nothing through any more on the connections that are there now; new ones are whole.

        So does a router that has forgotten them: neither end ever hears that they are gone.
        """
        self._silent = frozenset(self._ends)

    def close(self) -> None:
        """End every connection."""
        self._whole.set()
        for end in (self._server, *self._ends):
            _end(end)

    def _accept(self) -> None:
        # The loop ends with the listening socket.
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._whole.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._target_port))
        except OSError:
            _end(near)
            return
        self._ends += [near, far]
        Thread(target=self._pump, args=(near, far), daemon=True).start()
        self._pump(far, near)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                self._whole.wait()
                if source in self._silent:
                    continue
                if WAITS in chunk and source in self._stranded:
                    sleep(WAIT_SECONDS)
                    source.sendall(NOTHING_CAME)
                    continue
                target.sendall(chunk)
        self._whole.wait()
        _end(source)
        _end(target)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
