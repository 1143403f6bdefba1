"""How far many pictures are, as one line on stderr that is drawn over again."""

import sys
from collections.abc import Iterable, Sized
from time import monotonic

REDRAW_SECONDS = 0.1
CLEAR = "\r\x1b[K"


class ProgressLine:
    """Counts pictures; shows the count when it is asked to, or where stderr is a terminal."""

    def __init__(self, pictures: Iterable[object], *, shown: bool | None) -> None:
        """Begin at none; how many there are is known of what has a length."""
        self._shown = sys.stderr.isatty() if shown is None else shown
        self._total = len(pictures) if isinstance(pictures, Sized) else None
        self._began = monotonic()
        self._drawn_at = float("-inf")
        self._done = self.failed = 0

    def count(self, *, failed: bool) -> None:
        """Count one more picture that is over."""
        self._done += 1
        self.failed += failed
        if self._shown and monotonic() - self._drawn_at > REDRAW_SECONDS:
            self._drawn_at = monotonic()
            rate = self._done / max(monotonic() - self._began, 1e-3)
            self._write(f"{CLEAR}{self}, {rate:.1f} a second")

    def hide(self) -> None:
        """Take the line away; the next count brings it back."""
        if self._shown and self._drawn_at > 0:
            self._drawn_at = float("-inf")
            self._write(CLEAR)

    def __str__(self) -> str:
        """Return the counts in words."""
        total = "" if self._total is None else f" of {self._total}"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self._done}{total} pictures{failed}"

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
