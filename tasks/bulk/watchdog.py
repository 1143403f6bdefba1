"""Ends a process in which one picture of a bulk goes on for ever.

Celery's time limit counts the clock; a process of the lowest priority may wait for the cores as
long as single pictures come, and that is no fault of its pictures. So CPU time is counted here.
"""

import logging
import os
from threading import Event, Thread
from time import process_time

from tasks.once import once
from tasks.settings import settings

LOOK_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Watchdog:
    """Counts the CPU time since the work last got on."""

    def __init__(self) -> None:
        """Begin to count; a thread looks from now on."""
        self._moved_at: float | None = None
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
            moved_at, limit = self._moved_at, settings().bulk_picture_cpu_seconds
            if moved_at is not None and process_time() - moved_at > limit:
                logger.critical("bulk does not get on; ending, to be replaced")
                os._exit(os.EX_TEMPFAIL)


@once
def of_this_process() -> Watchdog:
    """Return the watchdog of this process."""
    return Watchdog()
