"""What clients call their requests, in the memory of one process."""

from dataclasses import dataclass, replace

from tasks.errors import ReusedKeyError
from tasks.job_stores.memory_upkeep import MemoryUpkeep
from tasks.settings import TasksSettings


@dataclass(frozen=True)
class Earlier:
    """What a client's key stands for, and whether more than one request was given it."""

    task_id: str
    digest: str
    is_shared: bool = False


class MemoryKeys(MemoryUpkeep):
    """The part of `MemoryJobStore` that knows requests by their keys."""

    def __init__(self, settings: TasksSettings) -> None:
        """Start empty."""
        super().__init__(settings)
        self._keys: dict[str, Earlier] = {}

    def earlier(self, key: str, *, digest: str) -> str | None:
        """Return the job of an earlier request with this key, if there was one."""
        with self._changed:
            earlier = self._keys.get(key)
            if earlier is None:
                return None
            if earlier.digest != digest:
                raise ReusedKeyError("this Idempotency-Key came with another request before")
            self._keys[key] = replace(earlier, is_shared=True)
            return earlier.task_id
