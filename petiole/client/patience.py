"""How long a conversation goes on, and when what went wrong is tried again."""

import random
from collections.abc import Callable
from time import monotonic

from petiole.client import replies
from petiole.client.steps import Lost, Reply

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 3.0
LEAST_SECONDS = 5.0
"""So long is tried again what goes wrong for a caller that does not wait for the task's end."""

ANSWER_SECONDS = 10.0
LAST_SECONDS = 2.0
"""For taking back what an interrupted caller has begun; a person waits meanwhile."""

Clock = Callable[[], float]


class Patience:
    """The time that a caller gives: for its task, and for a service that does not answer."""

    answer_seconds = ANSWER_SECONDS

    def __init__(
        self, wait_seconds: float, *, retry_seconds: float, clock: Clock = monotonic
    ) -> None:
        """Begin now; `retry_seconds` count from the first of several losses in a row."""
        self.wait_seconds = wait_seconds
        self.clock = clock
        self._retry_seconds = retry_seconds
        self._ends_at = clock() + wait_seconds
        self._persists_until = clock() + max(wait_seconds, LEAST_SECONDS)

    def last(self) -> "Patience":
        """Return what is left for tidying up after a caller that has gone."""
        little = Patience(0.0, retry_seconds=LAST_SECONDS, clock=self.clock)
        little.answer_seconds = LAST_SECONDS
        little._persists_until = self.clock() + LAST_SECONDS
        return little

    @property
    def left(self) -> float:
        """Seconds that the caller still waits for the task."""
        return max(0.0, self._ends_at - self.clock())

    def trouble(self) -> "Trouble":
        """Return the tries of one call."""
        return Trouble(self._persists_until, self._retry_seconds, self.clock)


class Trouble:
    """What went wrong with one call so far."""

    def __init__(self, persists_until: float, retry_seconds: float, clock: Clock) -> None:
        """Begin without any."""
        self._persists_until, self._retry_seconds = persists_until, retry_seconds
        self._clock = clock
        self._tries = 0
        self._lost_since: float | None = None

    def pause_seconds(self, heard: Reply | Lost) -> float:
        """Return after which pause to try again.

        Raises:
            PetioleError: it is no use, or the time for it is over.
        """
        seconds = self._seconds_after(heard)
        if isinstance(heard, Lost) and heard.is_final:
            raise replies.failure(heard)
        if self._clock() + seconds > self._limit(heard):
            raise replies.failure(heard)
        return seconds

    def _seconds_after(self, heard: Reply | Lost) -> float:
        """Return what the service asks for, else twice as long as the last time.

        A little more at random, so that many clients do not come back at the same moment.
        """
        growing = min(FIRST_PAUSE_SECONDS * 2**self._tries, LONGEST_PAUSE_SECONDS)
        self._tries += 1
        asked = replies.retry_after(heard) if isinstance(heard, Reply) else None
        return (growing if asked is None else asked) * random.uniform(1.0, 1.2)  # noqa: S311

    def _limit(self, heard: Reply | Lost) -> float:
        if isinstance(heard, Reply) and not replies.is_outage(heard):
            self._lost_since = None
            return self._persists_until
        if self._lost_since is None:
            self._lost_since = self._clock()
        return min(self._persists_until, self._lost_since + self._retry_seconds)
