"""Waking those who wait for a job, through one subscription for each process.

A waiter never depends on the notice alone: it looks again every second.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

import redis

FINISHED_CHANNEL = "petiole:finished"
RECHECK_SECONDS = 1.0
RECONNECT_SECONDS = 0.5

logger = logging.getLogger(__name__)


class FinishNotices:
    """Hears of every job that is over and wakes the threads that wait for it."""

    def __init__(self, client: Any) -> None:
        """Use `client` for the subscription, which begins with the first waiter."""
        self._client = client
        self._waiting: dict[str, set[Event]] = defaultdict(set)
        self._lock = Lock()
        self._listener: Thread | None = None

    def wait(self, task_id: str, *, seconds: float, is_over: Callable[[], bool]) -> None:
        """Return once `is_over()` or after `seconds`."""
        deadline = monotonic() + seconds
        with self._registered(task_id) as finished:
            while not is_over() and (remaining := deadline - monotonic()) > 0:
                finished.wait(min(remaining, RECHECK_SECONDS))

    @contextmanager
    def _registered(self, task_id: str) -> Iterator[Event]:
        finished = Event()
        with self._lock:
            self._waiting[task_id].add(finished)
            self._ensure_listening()
        try:
            yield finished
        finally:
            with self._lock:
                self._waiting[task_id].discard(finished)
                if not self._waiting[task_id]:
                    del self._waiting[task_id]

    def _ensure_listening(self) -> None:
        if self._listener is None or not self._listener.is_alive():
            self._listener = Thread(target=self._listen_forever, name="finish-notices", daemon=True)
            self._listener.start()

    def _listen_forever(self) -> None:
        while True:
            try:
                self._listen()
            except (redis.ConnectionError, redis.TimeoutError) as exc:
                logger.warning("finish notices interrupted", extra={"reason": str(exc)})
                Event().wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(FINISHED_CHANNEL)
            while True:
                message = subscription.get_message(timeout=30.0)
                if message is not None:
                    self._wake(message["data"])

    def _wake(self, task_id: str) -> None:
        with self._lock:
            for finished in self._waiting.get(task_id, ()):
                finished.set()
