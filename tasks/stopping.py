"""SIGTERM in a worker's main process: bounded, and carried out between two turns of its loop.

Celery's own handler (with REMAP_SIGTERM=SIGQUIT) sleeps and stops the pool inside the signal. The
loop stands still meanwhile, so a picture that is finished after 20 ms is waited for the whole soft
shutdown; and where the signal came in the middle of writing a job to a child, the pool waits for
that write for ever (celery/concurrency/asynpool.py, `flush`). Here the handler only makes a note.
"""

import logging
import os
import signal
from time import monotonic
from types import FrameType
from typing import Any

from celery import signals
from celery.platforms import EX_FAILURE
from celery.worker import state as celerys_state

from tasks import permission
from tasks.once import once

LOOK_SECONDS = 0.1
LOOP_SECONDS = 2.0
"""A loop that has not turned by then waits for the broker; Celery's own way interrupts that."""

state: Any = celerys_state

logger = logging.getLogger(__name__)


class Stop:
    """A stop that was asked for, or not yet."""

    def __init__(self) -> None:
        """Nothing was asked for."""
        self._consumer: Any = None
        self._celerys_own: Any = None
        self.is_asked = False
        self._ends_by = 0.0

    def take_over(self, consumer: Any) -> None:
        """Take SIGTERM from Celery; a reconnect makes a new consumer and calls this again."""
        if self._consumer is None:
            self._celerys_own = signal.signal(signal.SIGTERM, self._note)
            consumer.hub.call_repeatedly(LOOK_SECONDS, self._look)
        self._consumer = consumer

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Make a note of the first signal; another one is hurry, which Celery knows."""
        if self.is_asked:
            self._celerys_own(number, frame)
        self.is_asked = True
        permission.give(given=False)
        signal.signal(signal.SIGALRM, self._wake)
        signal.setitimer(signal.ITIMER_REAL, LOOP_SECONDS)

    def _wake(self, _: int, frame: FrameType | None) -> None:
        if not self._ends_by:
            self._celerys_own(signal.SIGTERM, frame)

    def _look(self) -> None:
        if not self.is_asked or state.should_terminate:
            return
        if not self._ends_by:
            self._begin()
        if not state.active_requests or monotonic() > self._ends_by:
            self._end()

    def _begin(self) -> None:
        """Take no more messages; what runs goes on."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        limit = self._consumer.app.conf.worker_soft_shutdown_timeout
        self._ends_by = monotonic() + limit
        logger.info("stopping", extra={"running": len(state.active_requests), "limit": limit})
        signals.worker_shutting_down.send(
            sender=self._consumer.hostname, sig="SIGTERM", how="Soft", exitcode=EX_FAILURE
        )
        self._consumer.task_consumer.cancel()

    def _end(self) -> None:
        """Put back what still runs, and end, as Celery's cold shutdown does."""
        try:
            self._consumer.cancel_active_requests()
        finally:
            state.should_terminate = True
            self._consumer.pool.stop()


@once
def _of_this_process() -> Stop:
    return Stop()


def is_under_way() -> bool:
    """Tell whether this worker was asked to end, in whatever way."""
    asked = (state.should_stop, state.should_terminate)  # None, False, True, or an exit status
    return _of_this_process().is_asked or not all(each is None or each is False for each in asked)


def take_over(sender: Any, **_: Any) -> None:
    """Bound the stop of a worker that has a loop, where REMAP_SIGTERM asks for a bound."""
    if sender.hub is not None and os.environ.get("REMAP_SIGTERM") == "SIGQUIT":
        _of_this_process().take_over(sender)
