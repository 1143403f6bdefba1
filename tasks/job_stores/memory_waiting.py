"""Those who wait for a job, or follow some, in the process that has the job store in its memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition


class MemoryWatch:
    """One waiter in the same process."""

    def __init__(self, document: Callable[[], str | None], changed: Condition) -> None:
        """Watch the job whose `document` is looked up whenever something has `changed`."""
        self._document = document
        self._changed = changed

    def wait(self, *, seconds: float) -> str | None:
        """Return the document once the job is over, or None after `seconds`."""
        with self._changed:
            self._changed.wait_for(self._document, timeout=seconds)
        return self._document()


class MemoryFollowing:
    """The part of `MemoryJobStore` that tells followers of ends."""

    def __init__(self) -> None:
        """Begin without followers."""
        self._changed = Condition()  # its lock may be taken again by the same thread
        self._followers: list[tuple[frozenset[str], Callable[[str, str], None]]] = []

    @contextmanager
    def following(
        self, task_ids: Sequence[str], hear: Callable[[str, str], None]
    ) -> Iterator[None]:
        """Tell the end of each of these jobs, from now on."""
        follower = frozenset(task_ids), hear
        with self._changed:
            self._followers.append(follower)
        try:
            yield
        finally:
            with self._changed:
                self._followers.remove(follower)

    def _tell(self, task_id: str, document: str) -> None:
        for task_ids, hear in self._followers:
            if task_id in task_ids:
                hear(task_id, document)
