"""Whether this worker's main process takes messages: said for `/readyz`, and mended.

It is judged by what it does. A worker can have lost its credit, or its place among those who wait
at the queue, while its connection, its children and its heartbeats are all well.
"""

import logging
import os
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tasks import broker, documents, redis_checks
from tasks.errors import ServiceUnavailableError
from tasks.readiness import CONSUMER, NOT_READY, READY, Note, Place
from tasks.settings import settings

LOOK_SECONDS = 2.0
STILL_LOOKS = 3
"""A message is delivered within milliseconds of its publication to a worker that waits for one."""
TOLD_LOOKS = 2
"""Once may be the moment in which another worker took what waited."""
HUNG_SECONDS = 300
"""The loop itself waits this long for nothing: 30 s for a job store, 180 s for a result backend."""

RIGHTS_SECONDS = 5.0

logger = logging.getLogger(__name__)


class StillError(ConnectionError):
    """Messages wait, hands are idle, and none is taken: the connection is made anew."""


@dataclass
class Stillness:
    """How often in a row a worker was seen idle beside work.

    `reconnect` and `replace` are what is done about it, one after the other. Looks are counted and
    not seconds: between two of them the loop has read its sockets, however long it was held up.
    """

    reconnect: Callable[[], None]
    replace: Callable[[], None]
    looks: int = 0
    has_reconnected: bool = False

    def moved(self) -> None:
        """Note that a message was taken."""
        self.looks, self.has_reconnected = 0, False

    def look(self, *, could_take: bool) -> str | None:
        """Count a look; return what is wrong, once that is no chance."""
        self.looks = self.looks + 1 if could_take else 0
        is_still = self.looks >= TOLD_LOOKS or (self.looks and self.has_reconnected)
        return "messages wait and none is taken" if is_still else None

    def mend(self) -> None:
        """Do the next thing once the worker was still too often."""
        if self.looks >= STILL_LOOKS:
            mend = self.replace if self.has_reconnected else self.reconnect
            self.looks, self.has_reconnected = 0, True
            mend()


class LoopGuard:
    """Ends this process when its loop does not turn for minutes, whatever holds it.

    The kernel's alarm needs no thread, which the children that are forked later would inherit
    locks of. It is not for a pool whose tasks run in the loop itself.
    """

    def turned(self) -> None:
        """Begin to wait anew."""
        signal.signal(signal.SIGALRM, _end)
        signal.alarm(HUNG_SECONDS)

    def leave(self) -> None:
        """Wait no longer: the loop ends, or waits for a server that is away."""
        signal.alarm(0)


def _end(*_: Any) -> None:
    logger.critical("the loop is held up; ending, to be replaced")
    os._exit(os.EX_TEMPFAIL)


class Notice:
    """The note of this main process, put into its place when it changes and before it runs out."""

    def __init__(self) -> None:
        """Prepare; nothing is announced yet."""
        self._place = Place(CONSUMER)
        self._text, self._put_at = "", 0.0
        self._reason: str | None = None

    def put(self, queues: Collection[str], reason: str | None) -> None:
        """Say from which queues this worker takes messages, or should, and why it does not."""
        member, consumes = self._place.member, tuple(sorted(queues))
        note = Note(member, CONSUMER, NOT_READY if reason else READY, reason, consumes=consumes)
        if reason and reason != self._reason:
            logger.error("worker takes nothing", extra={"reason": reason})
        self._reason = reason
        text, now = documents.to_json(note), monotonic()
        if text != self._text or now - self._put_at > settings().ready_ttl_seconds / 3:
            self._text, self._put_at = text, now
            self._place.put(text)

    def clear(self) -> None:
        """Take it back at a tidy end."""
        self._place.clear()


class Rights:
    """What the servers refuse this worker, looked at now and then."""

    def __init__(self) -> None:
        """Begin without having looked."""
        self._refusal, self._looked_at = "", 0.0

    def refusal(self, queues: Collection[str]) -> str:
        """Return the one thing to do, or nothing; a server that is away is met elsewhere."""
        if self._refusal or monotonic() - self._looked_at > RIGHTS_SECONDS:
            self._looked_at = monotonic()
            try:
                self._refusal = "; ".join(redis_checks.refusals(queues))
            except ServiceUnavailableError as exc:
                logger.info("rights not looked at", extra={"reason": str(exc)})
        return self._refusal


def waiting(channel: Any, queues: Collection[str]) -> int:
    """Return how many messages wait in queues of Redis; 0 where the server does not say."""
    try:
        return sum(channel._size(queue) for queue in queues)
    except broker.REFUSALS as exc:
        logger.info("queues not looked at", extra={"reason": repr(exc)})
        return 0
