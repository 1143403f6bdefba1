"""What a process adds up by itself, and gives to the job store once a second.

The times and the label of a picture are a dozen numbers: written with each end they would be a
fifth of what the job store does for it. What was not given yet is lost with its process, a second's
worth, and what the store did not take is not given twice. Accepted and ended jobs are counted by
the store itself, and never lost.
"""

import logging
from collections import Counter
from threading import Event, Lock, Thread

from tasks import stores
from tasks.errors import ServiceUnavailableError
from tasks.once import once
from tasks.repeated import Unrepeated
from tasks.statistics import Tally

INTERVAL_SECONDS = 1.0

logger = logging.getLogger(__name__)
logger.addFilter(Unrepeated())


class Sums:
    """The sums of one process since they were given last; safe between threads."""

    def __init__(self) -> None:
        """Start empty; the thread that gives them begins with the first sum."""
        self._plain: Counter[str] = Counter()
        self._labels: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()
        self._thread: Thread | None = None

    def add(self, tally: Tally) -> None:
        """Add what one picture counts for."""
        with self._lock:
            self._plain.update(tally.plain)
            self._labels.update(tally.labels)
            if self._thread is None and not stores.are_in_memory():
                self._thread = Thread(target=self._give_forever, name="sums", daemon=True)
                self._thread.start()
        if stores.are_in_memory():
            self.give()

    def give(self) -> None:
        """Give all to the job store; what it does not take is lost, and logged."""
        with self._lock:
            tally = Tally(self._plain, self._labels)
            self._plain, self._labels = Counter(), Counter()
        if not tally:
            return
        try:
            stores.prompt_job_store().tally(tally)
        except ServiceUnavailableError as exc:
            logger.warning("times and labels not counted", extra={"reason": str(exc)})

    def _give_forever(self) -> None:
        while True:
            Event().wait(INTERVAL_SECONDS)
            self.give()


@once
def of_this_process() -> Sums:
    """Return the sums of this process."""
    return Sums()
