"""What a process makes once and keeps: settings, stores, the publishing app, models in memory.

All of it is kept in one place, so that a test begins anew with one call.
"""

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, TypeVar

T = TypeVar("T")

_made: dict[Callable[[], Any], Any] = {}
_making = RLock()


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Return `make` such that the process calls it once, by one thread, and keeps what it gave."""

    @wraps(make)
    def kept() -> T:
        if make not in _made:
            with _making:
                if make not in _made:
                    _made[make] = make()
        made: T = _made[make]
        return made

    return kept


def begin_anew() -> None:
    """Forget all that was made; what is asked for next is made again."""
    with _making:
        _made.clear()
