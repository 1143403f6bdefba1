"""What can be done to a running service from outside; each fault says what it may cost.

A picture that a killed process had in hand is done again, so every fault adds to the number of
doubled executions that are allowed. Whatever is not in that number is one too many.
"""

import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from time import sleep

import numpy as np
import psutil

from chaos.stack import MIB, Stack
from chaos.wire import Wire
from petiole.parts import BULK
from petiole.probes import free_port

TICK_SECONDS = 1.0
REQUEST_HEAD = b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
NO_MEMORY = "1"


class Faults:
    """Hurts one service, and says what that may cost.

    `redone` is how many executions may be doubled. `unacknowledged` is how many messages of killed
    workers may lie in kombu's `unacked` until its visibility timeout is over; their jobs went on
    long before, and whoever claims them then is refused.
    """

    def __init__(self, stack: Stack, rng: np.random.Generator) -> None:
        """Do nothing yet."""
        self._stack = stack
        self._rng = rng
        self._slow: list[socket.socket] = []
        self.redone = self.unacknowledged = 0

    def kill(self, name: str, *, with_children: bool = False) -> None:
        """SIGKILL the main process of one part, or all of its processes, as if with its host."""
        if name == BULK:
            self.unacknowledged += self._stack.layout.bulk_children
        else:
            self._may_redo_all()
        if name in self._stack.worker_names():
            self.unacknowledged += self._stack.layout.children
        family = self._stack.family(name)
        for process in family if with_children else family[:1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def kill_redis(self) -> None:
        """SIGKILL Redis in a moment in which it holds nothing back."""
        self.wait_for_disk()
        self.kill("redis")

    def wait_for_disk(self) -> None:
        """Wait until Redis holds nothing back in its memory.

        While a sync of its file is under way it answers before it has written, for two seconds at
        most; a kill then loses that, which nobody promises (see `docs/architecture.md`).
        """
        self._stack.wait_for(self._is_written, "Redis' disk")

    def _is_written(self) -> bool:
        with self._stack.redis() as client:
            found = client.info("persistence")
        return not (found["aof_pending_bio_fsync"] or found["aof_buffer_length"])

    def kill_child(self) -> None:
        """SIGKILL one child of a classify worker, whichever chance names."""
        self.redone += self._kill_one_of(self._stack.worker_names())

    def kill_bulk_child(self) -> None:
        """SIGKILL a child of the worker of bulks; single pictures have nothing to do with it."""
        self._kill_one_of([BULK])

    def _kill_one_of(self, names: Sequence[str]) -> int:
        children = [child for name in names for child in self._stack.family(name)[1:]]
        if children:
            with suppress(psutil.NoSuchProcess):
                children[int(self._rng.integers(len(children)))].kill()
        return min(1, len(children))

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask a part to stop or to reload, as a deployment does."""
        self._may_redo_all()
        self._stack.process(name).send_signal(number)

    @contextmanager
    def frozen(self, name: str, *, with_children: bool = False) -> Iterator[None]:
        """SIGSTOP a part; it goes on afterwards, unless something killed it meanwhile."""
        self._may_redo_all()
        family = self._stack.family(name)
        stopped = family if with_children else family[:1]
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextmanager
    def redis_full(self) -> Iterator[None]:
        """Let Redis have no memory left, so that it refuses every write."""
        self._may_redo_all()
        with self._stack.redis() as client:
            before = client.config_get("maxmemory")["maxmemory"]
            client.config_set("maxmemory", NO_MEMORY)
            try:
                yield
            finally:
                client.config_set("maxmemory", before)

    @contextmanager
    def redis_read_only(self) -> Iterator[None]:
        """Make Redis a replica of nobody, as after a failover it was not told of."""
        self._may_redo_all()
        with self._stack.redis() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", free_port())
            try:
                yield
            finally:
                client.execute_command("REPLICAOF", "NO", "ONE")

    @contextmanager
    def redis_without_rights(self, without: str, *, again: str) -> Iterator[None]:
        """Take rights from the user that every part is, until the block ends."""
        self._may_redo_all()
        with self._stack.redis() as client:
            client.execute_command("ACL", "SETUSER", "default", without)
            try:
                yield
            finally:
                client.execute_command("ACL", "SETUSER", "default", again)

    @contextmanager
    def disk_full(self) -> Iterator[None]:
        """Fill the disk of Redis' append-only file to the last byte."""
        self._may_redo_all()
        filler = self._stack.disk / "filler"
        with filler.open("wb", buffering=0) as stream, suppress(OSError):
            while True:
                stream.write(b"\0" * (MIB // 16))
        try:
            yield
        finally:
            filler.unlink()

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Cut the wire between the classify workers and Redis."""
        self._may_redo_all()
        self._wire().cut()
        try:
            yield
        finally:
            self._wire().mend()

    def strand(self) -> None:
        """Let the classify workers wait where no picture comes, until they connect anew."""
        self._wire().strand()

    @contextmanager
    def slow_sockets(self, count: int) -> Iterator[None]:
        """Open connections whose request never ends; `drip` sends a byte on each."""
        address = ("127.0.0.1", int(self._stack.api.rpartition(":")[2]))
        with ExitStack() as held:
            sockets = [
                held.enter_context(socket.create_connection(address, timeout=5))
                for _ in range(count)
            ]
            for each in sockets:
                each.sendall(REQUEST_HEAD)
            self._slow = sockets
            yield
            self._slow = []

    def drip(self, *, seconds: float) -> None:
        """Send a byte a second on every slow socket."""
        for _ in range(round(seconds / TICK_SECONDS)):
            for each in self._slow:
                # The server may close one: that is its good right.
                with suppress(OSError):
                    each.sendall(b"x")
            sleep(TICK_SECONDS)

    def _wire(self) -> Wire:
        if self._stack.wire is None:
            raise ValueError("this scenario's layout has no wire")
        return self._stack.wire

    def _may_redo_all(self) -> None:
        self.redone += self._stack.layout.workers * self._stack.layout.children
