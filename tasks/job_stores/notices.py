"""Waking those who wait for a job, through one subscription for each process.

A notice carries the finished document, so a waiter needs no look-up; but it never depends on
the notice alone: it looks into the store every second.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

import redis

FINISHED_CHANNEL = "petiole:finished"
RECHECK_SECONDS = 1.0
SUBSCRIBE_SECONDS = 1.0
RECONNECT_SECONDS = 0.5

logger = logging.getLogger(__name__)


class RedisWatch:
    """One waiter; made before the job is published, so that no notice is missed."""

    def __init__(self, look_up: Callable[[], str | None]) -> None:
        """`look_up` returns the finished document from the store, or None."""
        self._look_up = look_up
        self._finished = Event()
        self._document: str | None = None

    def wait(self, *, seconds: float) -> str | None:
        """Return the document once the job is over, or None after `seconds`."""
        deadline = monotonic() + seconds
        while self._document is None and (remaining := deadline - monotonic()) > 0:
            if not self._finished.wait(min(remaining, RECHECK_SECONDS)):
                self._document = self._look_up()
        return self._document

    def hear(self, document: str) -> None:
        """Take the document of a notice and wake the waiter."""
        self._document = document
        self._finished.set()


class FinishNotices:
    """Hears of every job that is over and wakes the threads that wait for it."""

    def __init__(self, client: Any) -> None:
        """Use `client` for the subscription, which begins with the first waiter."""
        self._client = client
        self._watches: dict[str, set[RedisWatch]] = {}
        self._lock = Lock()
        self._listener: Thread | None = None
        self._subscribed = Event()

    @contextmanager
    def watching(self, task_id: str, look_up: Callable[[], str | None]) -> Iterator[RedisWatch]:
        """Give a watch on one job, which hears every notice from now on."""
        watch = RedisWatch(look_up)
        with self._lock:
            self._watches.setdefault(task_id, set()).add(watch)
            self._ensure_listening()
        self._subscribed.wait(SUBSCRIBE_SECONDS)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches[task_id].discard(watch)
                if not self._watches[task_id]:
                    del self._watches[task_id]

    def _ensure_listening(self) -> None:
        if self._listener is None or not self._listener.is_alive():
            self._listener = Thread(target=self._listen_forever, name="finish-notices", daemon=True)
            self._listener.start()

    def _listen_forever(self) -> None:
        while True:
            try:
                self._listen()
            except (redis.RedisError, OSError, ValueError) as exc:
                logger.warning("finish notices interrupted", extra={"reason": str(exc)})
            finally:
                self._subscribed.clear()
            Event().wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with self._client.pubsub() as subscription:
            subscription.subscribe(FINISHED_CHANNEL)
            while True:
                message = subscription.get_message(timeout=30.0)
                if message is None:
                    continue
                if message["type"] == "message":
                    self._wake(*message["data"].split(" ", 1))
                else:
                    self._subscribed.set()

    def _wake(self, task_id: str, document: str) -> None:
        with self._lock:
            for watch in self._watches.get(task_id, ()):
                watch.hear(document)
