"""Clients: an open loop that sends at a steady rate whatever comes back, and bursts."""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Any, TypeVar

from petiole.chaos.journal import Journal

T = TypeVar("T")

SENDERS = 32
RECENT_SECONDS = 2.0
LOOK_SECONDS = 0.02
"""Pause after each look at a result: at most a hundred requests a second come from looking."""


@contextmanager
def steady(send: Callable[[], object], *, per_second: float) -> Iterator[None]:
    """Call `send` at this rate for the duration of the block, from up to `SENDERS` threads."""
    done, pool = Event(), ThreadPoolExecutor(SENDERS)
    clock = Thread(target=_tick, args=(pool, send, 1 / per_second, done), daemon=True)
    clock.start()
    try:
        yield
    finally:
        done.set()
        clock.join()
        pool.shutdown(cancel_futures=True)


def burst(send: Callable[[], T], *, count: int, senders: int = 8) -> list[T]:
    """Call `send` so often as fast as that many senders can; return what it gave."""
    pool = ThreadPoolExecutor(senders)
    try:
        return [future.result() for future in [pool.submit(send) for _ in range(count)]]
    finally:
        # Whoever is interrupted sends no more.
        pool.shutdown(cancel_futures=True)


class Watcher:
    """Asks for every open result in turn, as clients that poll do."""

    def __init__(self, journal: Journal[Any], api: str) -> None:
        """Prepare; nothing is asked yet."""
        self._journal = journal
        self._api = api
        self._done = Event()
        # Apart, so that jobs which nobody answers do not delay the sight of those just sent.
        self._threads = [
            Thread(target=self._watch, args=(recent,), name="watcher", daemon=True)
            for recent in (True, False)
        ]

    def __enter__(self) -> "Watcher":
        """Start to ask."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def wait(self, *, until: float) -> bool:
        """Wait for the end of every accepted job, until that moment; True when all ended."""
        return self._wait(self._journal.open, until)

    def wait_for(self, task_ids: Iterable[str], *, until: float) -> bool:
        """Wait for the end of these jobs, until that moment; True when all ended."""
        wanted = set(task_ids)
        return self._wait(lambda: wanted.intersection(self._journal.open()), until)

    def _wait(self, missing: Callable[[], Collection[str]], until: float) -> bool:
        while missing():
            if monotonic() > until:
                return False
            self._done.wait(LOOK_SECONDS)
        return True

    def _watch(self, recent: bool) -> None:
        while not self._done.is_set():
            for task_id in self._journal.open_since(monotonic() - RECENT_SECONDS, recent=recent):
                if self._done.is_set():
                    return
                self._journal.look(self._api, task_id)
                self._done.wait(LOOK_SECONDS)
            self._done.wait(LOOK_SECONDS)


def _tick(pool: ThreadPoolExecutor, send: Callable[[], object], pause: float, done: Event) -> None:
    while not done.wait(pause):
        pool.submit(send)
