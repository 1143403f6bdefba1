"""Ends a process in which one picture of a bulk goes on for ever.

Celery's time limit counts the clock; a process of the lowest priority may wait for the cores as
long as single pictures come, and that is no fault of its pictures. So CPU time is counted here.
"""

import logging
import os
from threading import Event, Thread
from time import process_time

from tasks import publisher
from tasks.once import once
from tasks.settings import settings

LOOK_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Watchdog:
    """Counts the CPU time since the work last got on."""

    def __init__(self, *, limit_seconds: float) -> None:
        """Count nothing yet."""
        self._moved_at: float | None = None
        self._limit_seconds = limit_seconds

    def look(self) -> None:
        """Look from now on, in a thread of this process."""
        Thread(target=self._look_for_ever, name="watchdog", daemon=True).start()

    def moved(self) -> None:
        """Count anew: a picture is done."""
        self._moved_at = process_time()

    def rest(self) -> None:
        """Count no more: nothing is in work."""
        self._moved_at = None

    def _look_for_ever(self) -> None:
        while True:
            Event().wait(LOOK_SECONDS)
            moved_at = self._moved_at
            if moved_at is not None and process_time() - moved_at > self._limit_seconds:
                logger.critical("bulk does not get on; ending, to be replaced")
                os._exit(os.EX_TEMPFAIL)


@once
def of_this_process() -> Watchdog:
    """Return the watchdog of this process; in eager mode it looks at nothing."""
    watchdog = Watchdog(limit_seconds=settings().bulk_picture_cpu_seconds)
    if not publisher.runs_here():
        watchdog.look()
    return watchdog
