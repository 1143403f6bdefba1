"""What a process makes once and keeps: settings, stores, the publishing app, models in memory.

All of it is kept in one place, so that a test begins anew with one call.
"""

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, ParamSpec, TypeVar

Key = ParamSpec("Key")
T = TypeVar("T")

_made: dict[tuple[Any, ...], Any] = {}
_making = RLock()


def once(make: Callable[Key, T]) -> Callable[Key, T]:
    """Return `make` such that the process calls it once, by one thread, and keeps what it gave.

    Where it takes arguments, once for each of them.
    """

    @wraps(make)
    def kept(*key: Key.args, **named: Key.kwargs) -> T:
        place = (make, *key, *named.items())
        if place not in _made:
            with _making:
                if place not in _made:
                    _made[place] = make(*key, **named)
        made: T = _made[place]
        return made

    return kept


def begin_anew() -> None:
    """Forget all that was made; what is asked for next is made again."""
    with _making:
        _made.clear()
