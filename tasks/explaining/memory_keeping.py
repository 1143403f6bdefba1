"""What is noted for explanations in the memory of one process, for eager mode and tests."""

from collections import defaultdict
from time import monotonic


class MemoryKeeping:
    """Keeps the notes until the process ends."""

    def __init__(self) -> None:
        """Start empty."""
        self._until: dict[str, float] = {}
        self._asked: dict[str, dict[str, None]] = defaultdict(dict)

    def keep(self, task_id: str, *, seconds: float, most: int) -> bool:
        """Note that a picture is kept from now on."""
        if task_id not in self._until and len(self._until) >= most:
            return False
        self._until[task_id] = monotonic() + seconds
        return True

    def has(self, task_id: str) -> bool:
        """Tell whether a picture is kept and its time is not over."""
        return monotonic() < self._until.get(task_id, float("-inf"))

    def over(self, *, limit: int) -> list[str]:
        """Return pictures whose time is over, the oldest first."""
        now = monotonic()
        found = sorted((until, task_id) for task_id, until in self._until.items() if until <= now)
        return [task_id for _, task_id in found[:limit]]

    def drop(self, task_id: str) -> None:
        """Forget that a picture was kept."""
        self._until.pop(task_id, None)

    def note(self, task_id: str, explanation_id: str, *, seconds: int) -> None:
        """Note that an explanation was asked for; here for as long as the process lives."""
        del seconds
        self._asked[task_id][explanation_id] = None

    def asked(self, task_id: str) -> list[str]:
        """Return the ids of the explanations of a picture that were asked for."""
        return list(self._asked.get(task_id, ()))
