"""Places for clients that wait: bounded, so that waiting never starves the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from api.settings import settings
from tasks.once import once


@once
def _places() -> BoundedSemaphore:
    return BoundedSemaphore(settings().max_waiters)


@contextmanager
def place(seconds: float) -> Iterator[float]:
    """Give the seconds that this request may wait: `seconds`, or 0 when no place is free."""
    if seconds <= 0 or not _places().acquire(blocking=False):
        yield 0.0
        return
    try:
        yield seconds
    finally:
        _places().release()
