"""The rate of a download, by a clock that the test holds."""

import pytest

from tasks.errors import DownloadTimeoutError
from tasks.pace import Pace


class Clock:
    """Shows the time that it is told."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def counted(*pieces: tuple[float, int]) -> Pace:
    """Return a pace of 10 bytes a second over 5 s that has counted pieces, each at its second."""
    clock = Clock()
    pace = Pace(10.0, seconds=5.0, clock=clock)
    for second, n_bytes in pieces:
        clock.now = 100.0 + second
        pace.count(n_bytes)
    return pace


def test_too_few_bytes_in_a_span_are_refused() -> None:
    """With the rate that was measured and the one that is asked for."""
    with pytest.raises(
        DownloadTimeoutError, match="sent 4 bytes a second over 6 s; the limit is 10"
    ):
        counted((1, 8), (5, 8), (6, 8))


def test_each_span_counts_for_itself() -> None:
    """What came fast before does not let a server trickle now."""
    with pytest.raises(DownloadTimeoutError, match="sent 1 bytes a second over 6 s"):
        counted((5, 1_000_000), (10, 3), (11, 3))


def test_just_enough_is_enough() -> None:
    """Also where it comes at the end of each span."""
    counted((5, 50), (10, 50), (15, 50))


def test_what_came_while_we_stood_still_is_counted_first() -> None:
    """A process that was stopped for a minute finds the rest of its picture ready."""
    counted((1, 20), (61, 10), (61.1, 700), (66.1, 60))


def test_zero_is_no_limit() -> None:
    """For who wants the total time alone."""
    clock = Clock()
    pace = Pace(0.0, seconds=5.0, clock=clock)
    for clock.now in (110.0, 120.0, 130.0):
        pace.count(0)
