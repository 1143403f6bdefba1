"""How long a phase still takes, from how fast this run was in it; nothing before that is known."""

from dataclasses import dataclass

LEAST_SECONDS = 2.0
"""Before that a rate is chance: parts are counted whole, and several are under way at once."""


@dataclass
class Pace:
    """The pace of one phase, from its second part of work on.

    What an earlier run has done is told at once and is no work; during the first part libraries
    warm up, which takes as long as ten others (measured: TensorFlow, 32 pictures, 4 s).
    """

    since: float
    done_before: int
    is_warm: bool = False

    def seconds_left(self, done: int, total: int, *, now: float) -> float | None:
        """Return the seconds until all is done at the mean rate so far, or None: too early."""
        if not self.is_warm and done > self.done_before:
            self.since, self.done_before, self.is_warm = now, done, True
        worked, elapsed = done - self.done_before, now - self.since
        if worked <= 0 or elapsed < LEAST_SECONDS:
            return None
        return elapsed / worked * (total - done)


def in_words(seconds: float | None) -> str:
    """Return a time as precise as it is known, as in `about 2 min left`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 10:  # noqa: PLR2004 - the step of what is said below
        return "some seconds left"
    if seconds < 90:  # noqa: PLR2004 - above it people count in minutes
        return f"about {round(seconds, -1):.0f} s left"
    return f"about {seconds / 60:.0f} min left"
