"""A TCP proxy in front of a real server: a network that is away or silent for a while."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

PIECE_BYTES = 65_536


class Doorway:
    """Listens on a port of its own and hands connections on, but for the first few."""

    def __init__(self, port: int, *, closed_for: int, listens_on: int = 0) -> None:
        """Lead to `port` of this machine; close the first `closed_for` connections at once."""
        self.turned_away = self.left_waiting = 0
        self._is_silent = False
        self.lost_answers = self._answers_to_lose = 0
        self._target, self._closed_for = port, closed_for
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", listens_on))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Take connections until the doorway is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._take, args=(client,), daemon=True).start()

    def turn_away(self, connections: int) -> None:
        """Close the next connections at once; those that are open end."""
        self._closed_for = self.turned_away + connections
        self._end(self._connections)

    def lose_answers(self, count: int) -> None:
        """Hand the next requests on, and end their connections in place of the answers."""
        self._answers_to_lose = self.lost_answers + count

    def fall_silent(self) -> None:
        """Take connections from now on and say nothing; those that are open end."""
        self._is_silent = True
        self._end(self._connections)

    def close(self) -> None:
        """Take no more connections, and end those that are open."""
        self._end([self._listener, *self._connections])

    def _end(self, sockets: list[socket.socket]) -> None:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _take(self, client: socket.socket) -> None:
        if self.turned_away < self._closed_for:
            self.turned_away += 1
            client.close()
            return
        if self._is_silent:
            self.left_waiting += 1
            self._connections.append(client)
            return
        server = socket.create_connection(("127.0.0.1", self._target))
        self._connections += [client, server]
        Thread(target=_pump, args=(client, server, lambda: True), daemon=True).start()
        Thread(target=_pump, args=(server, client, self._may_answer), daemon=True).start()

    def _may_answer(self) -> bool:
        if self.lost_answers >= self._answers_to_lose:
            return True
        self.lost_answers += 1
        return False


def _pump(source: socket.socket, sink: socket.socket, may_pass: Callable[[], bool]) -> None:
    with suppress(OSError):
        while (piece := source.recv(PIECE_BYTES)) and may_pass():
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def doorway(address: str, *, closed_for: int, listens_on: int = 0) -> Iterator[Doorway]:
    """Give a doorway to the server at an address such as `http://127.0.0.1:80`."""
    port = int(address.rpartition(":")[2])
    made = Doorway(port, closed_for=closed_for, listens_on=listens_on)
    Thread(target=made.serve, daemon=True).start()
    try:
        yield made
    finally:
        made.close()
