"""How fast a server has to send: so many bytes a second over a span, or it is given up.

A limit on silence starts anew with every byte; one on the whole time lets a server that trickles
hold a place until its end.
"""

from collections.abc import Callable
from time import monotonic

from tasks.errors import DownloadTimeoutError


class Pace:
    """Counts what came in spans of `seconds`, and refuses one that brought too little."""

    def __init__(
        self,
        least_bytes_per_second: float,
        *,
        seconds: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Begin the first span now; 0 bytes a second refuses nothing."""
        self._least = least_bytes_per_second
        self._seconds = seconds
        self._clock = clock
        self._is_late = False
        self._begin()

    def count(self, n_bytes: int) -> None:
        """Count bytes that came just now.

        Raises:
            DownloadTimeoutError: too few came in this span; says the rate and the limit.
        """
        self._n_bytes += n_bytes
        elapsed = self._clock() - self._began
        if elapsed < self._seconds:
            return
        if self._n_bytes >= self._least * elapsed:
            self._begin()
            return
        if self._is_late:
            raise self._too_slow(elapsed)
        # Once is no proof: it may be this process that stood still, and the rest lies ready.
        self._is_late = True

    def _begin(self) -> None:
        self._began, self._n_bytes, self._is_late = self._clock(), 0, False

    def _too_slow(self, elapsed: float) -> DownloadTimeoutError:
        rate = self._n_bytes / elapsed
        return DownloadTimeoutError(
            f"the picture's server sent {rate:.3g} bytes a second over {elapsed:.3g} s; the limit "
            f"is {self._least:g} bytes a second"
        )
