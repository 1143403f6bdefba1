"""Waking those who wait for a job, through one subscription for each process.

A notice carries the finished document, so a waiter needs no look-up; but nothing depends on the
notice alone: all watched jobs are looked up at once after each (re)connection and every second.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Protocol
from weakref import WeakSet

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

FINISHED_CHANNEL = "petiole:finished"
LOOK_UP_SECONDS = 1.0
LOOKED_UP_AT_ONCE = 500
RECONNECT_SECONDS = 0.025
"""Between tries while somebody waits: a client hears within 50 ms of what Redis knows again."""

Aside = Callable[[], AbstractContextManager[None]]
aside: ContextVar[Aside] = ContextVar("aside", default=nullcontext)
"""What a thread enters while it waits, for a server that lets another request run meanwhile."""

logger = logging.getLogger(__name__)

_all: "WeakSet[FinishNotices]" = WeakSet()
_ended = Event()


def end_waits() -> None:
    """Wake every waiter of this process, for good: it ends, and clients get what is known."""
    _ended.set()
    for notices in list(_all):
        notices.wake_all()


class Ear(Protocol):
    """Somebody who is told of the end of one job, once."""

    def hear(self, document: str) -> None:
        """Take the document of the finished job."""

    def wake(self) -> None:
        """Wait no longer: the process ends."""


class RedisWatch:
    """One waiter; made before the job is published, so that no notice is missed."""

    def __init__(self) -> None:
        """Begin without a document."""
        self._woken = Event()
        self._document: str | None = None

    def wait(self, *, seconds: float) -> str | None:
        """Return the document once the job is over, or None after `seconds`."""
        if not _ended.is_set():
            with aside.get()():
                self._woken.wait(seconds)
        return self._document

    def hear(self, document: str) -> None:
        """Take the document of the finished job and wake the waiter."""
        self._document = document
        self.wake()

    def wake(self) -> None:
        """Wake the waiter with what it has heard."""
        self._woken.set()


Hear = Callable[[str, str], None]
"""Takes the id of a job that is over, and its document; called in the thread that listens."""


class Follower:
    """One job of a stream, which its server ends by itself when the process does."""

    def __init__(self, task_id: str, hear: Hear) -> None:
        """Tell `hear` of this job."""
        self._task_id, self._hear = task_id, hear

    def hear(self, document: str) -> None:
        """Hand on the document of the finished job."""
        self._hear(self._task_id, document)

    def wake(self) -> None:
        """Do nothing: no thread waits."""


class FinishNotices:
    """Hears of every job that is over and tells those who wait for it."""

    def __init__(self, client: Any, *, document_prefix: str) -> None:
        """Listen where `client` is connected, from the first waiter on."""
        self._client = _without_patience(client)
        self._document_prefix = document_prefix
        self._ears: dict[str, set[Ear]] = {}
        self._lock = Lock()
        self._listener: Thread | None = None
        self._wanted = Event()
        self._is_away = False
        _all.add(self)

    @contextmanager
    def watching(self, task_id: str) -> Iterator[RedisWatch]:
        """Give a watch on one job, which hears of every end from now on."""
        watch = RedisWatch()
        with self._told({task_id: watch}):
            yield watch

    @contextmanager
    def following(self, task_ids: Sequence[str], hear: Hear) -> Iterator[None]:
        """Tell `hear` of the end of each of these jobs, from now on."""
        with self._told({task_id: Follower(task_id, hear) for task_id in task_ids}):
            yield

    @contextmanager
    def _told(self, ears: Mapping[str, Ear]) -> Iterator[None]:
        with self._lock:
            for task_id, ear in ears.items():
                self._ears.setdefault(task_id, set()).add(ear)
            self._wanted.set()
            self._ensure_listening()
        try:
            yield
        finally:
            with self._lock:
                for task_id, ear in ears.items():
                    self._forget(task_id, ear)

    def wake_all(self) -> None:
        """Wake every waiter."""
        with self._lock:
            for ears in self._ears.values():
                for ear in ears:
                    ear.wake()

    def _forget(self, task_id: str, ear: Ear) -> None:
        ears = self._ears.get(task_id, set())
        ears.discard(ear)
        if not ears:
            self._ears.pop(task_id, None)
        if not self._ears:
            self._wanted.clear()

    def _ensure_listening(self) -> None:
        if self._listener is None or not self._listener.is_alive():
            self._listener = Thread(target=self._listen_forever, name="finish-notices", daemon=True)
            self._listener.start()

    def _listen_forever(self) -> None:
        while self._wanted.wait():
            try:
                self._listen()
            except (redis.RedisError, OSError, ValueError) as exc:
                self._say_away(exc)
                self._client.connection_pool.disconnect()
                Event().wait(RECONNECT_SECONDS)

    def _say_away(self, exc: Exception) -> None:
        if not self._is_away:
            logger.warning("finish notices interrupted", extra={"reason": str(exc)})
        self._is_away = True

    def _listen(self) -> None:
        with self._client.pubsub() as subscription:
            subscription.subscribe(FINISHED_CHANNEL)
            look_up_at = float("inf")
            while True:
                message = subscription.get_message(timeout=LOOK_UP_SECONDS)
                if message is not None and message["type"] == "message":
                    self._tell(*message["data"].split(" ", 1))
                elif message is not None:
                    self._say_back()
                    look_up_at = monotonic()  # what ended before was told to nobody
                if monotonic() >= look_up_at:
                    self._look_up_all()
                    look_up_at = monotonic() + LOOK_UP_SECONDS

    def _say_back(self) -> None:
        if self._is_away:
            logger.info("finish notices heard again")
        self._is_away = False

    def _look_up_all(self) -> None:
        with self._lock:
            followed = list(self._ears)
        for begin in range(0, len(followed), LOOKED_UP_AT_ONCE):
            task_ids = followed[begin : begin + LOOKED_UP_AT_ONCE]
            keys = [self._document_prefix + task_id for task_id in task_ids]
            for task_id, document in zip(task_ids, self._client.mget(keys), strict=True):
                if document is not None:
                    self._tell(task_id, document)

    def _tell(self, task_id: str, document: str) -> None:
        """Tell everybody once: an end never changes."""
        with self._lock:
            for ear in self._ears.pop(task_id, ()):
                ear.hear(document)


def _without_patience(client: Any) -> Any:
    """Return a client of the same server whose failures are seen at once, not tried again."""
    pool = client.connection_pool
    kwargs = {**pool.connection_kwargs, "retry": Retry(NoBackoff(), 0)}
    return redis.Redis(
        connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **kwargs)
    )
