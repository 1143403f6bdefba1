"""Finds jobs that lost their message or their worker, and lets them be tried again.

A lane is first in, first out: a job that was queued before all that are taken next, and waits
nevertheless, has lost its message. A started job that its process does not hold, or whose process
is gone, has lost its worker. Both are looked up, never searched for in the queue. A job that is
wrongly thought lost is done twice at most: the claim sees to it.
"""

import logging
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

from tasks import envelopes, holding, jobs, lanes, publisher, readiness, stores
from tasks.bulk import life
from tasks.errors import PoisonedJobError, ServiceUnavailableError
from tasks.explaining import ends as explanations
from tasks.job_stores import JobStore
from tasks.settings import settings

NAME = "reconciler"
LANES = lanes.WATCHED
MOST_AT_ONCE = 100
FIRST_MESSAGES = 50
"""Messages looked at: those of a lost worker are put first, so the very first says little."""
UNSEEN_SECONDS = 150.0
"""A queue of another broker than Redis does not show its messages: a job that has waited so long,
Celery's visibility timeout, is sent again."""

logger = logging.getLogger(__name__)


class Reconciler:
    """Looks at the job store every second; of many in the service one at a time does."""

    def __init__(self) -> None:
        """Suspect nobody yet."""
        self._me = holding.member(NAME)
        self._suspects: dict[str, float] = {}
        self._not_understood: set[str] = set()
        self._looked_at = monotonic()

    def look(self) -> int:
        """Look for lost jobs and let them be tried again; returns for how many it did so.

        Those that nobody waits for any more are ended; packs of bulks that are due are released,
        and kept pictures whose time is over deleted.

        Raises:
            ServiceUnavailableError: a store or the broker did not answer.
        """
        store = stores.prompt_job_store()
        if not store.take_turn(NAME, self._me, seconds=max(3.0, 3 * settings().reconcile_seconds)):
            self._suspects.clear()
            return 0
        for task_id in store.late(before=store.now(), limit=MOST_AT_ONCE):
            self._carry_out(jobs.drop_late, task_id)
        life.release_all()
        explanations.drop_expired()
        lost = [*self._without_worker(store), *self._without_message(store)]
        return sum(self._carry_out(self._try_again, task_id) for task_id in lost)

    def _carry_out(self, act: Callable[[str], bool], task_id: str) -> bool:
        try:
            return act(task_id)
        except ServiceUnavailableError:
            raise
        except Exception:
            # One record that cannot be read, as a later version's, must not keep the others lost.
            if task_id not in self._not_understood:
                logger.exception("job not understood", extra={"task_id": task_id})
            self._not_understood.add(task_id)
            return False

    def _try_again(self, task_id: str) -> bool:
        reason = PoisonedJobError(f"the job lost its worker {settings().max_attempts} times")
        after = settings().lost_after_seconds
        return jobs.try_again(task_id, reason, queued_for_seconds=after)

    def _without_message(self, store: JobStore) -> list[str]:
        before = store.now() - settings().lost_after_seconds
        found: list[str] = []
        for lane in LANES:
            limit = min(before, self._first_queued(store, lane) - settings().lost_after_seconds)
            found += store.overdue(lane, before=limit, limit=MOST_AT_ONCE)
        return found

    def _first_queued(self, store: JobStore, lane: str) -> float:
        """Return when the first job that waits in a queue was put there; now for an empty one."""
        if not publisher.is_the_job_store():
            waits = publisher.queue_lengths()[lanes.queue_of(lane)]
            return store.now() - (UNSEEN_SECONDS if waits else 0.0)
        messages = store.first_messages(lane, limit=FIRST_MESSAGES)
        if not messages:
            return store.now() + settings().lost_after_seconds
        ids = [id_ for id_ in map(envelopes.task_id_of, messages) if id_]
        return min(store.queued_since(lane, ids), default=0.0)

    def _without_worker(self, store: JobStore) -> list[str]:
        """Return started jobs that nobody has held for a while.

        After the job store was away, or this process was, everybody gets that while anew.
        """
        now = monotonic()
        if now - self._looked_at > _pause_seconds():
            self._suspects.clear()
        self._looked_at = now
        held_by = {note.process: note.holds or () for note in readiness.notes(store)}
        loose = {
            task_id
            for task_id, owner in store.held().items()
            if task_id not in held_by.get(owner, ())
        }
        self._suspects = {task_id: self._suspects.get(task_id, now) for task_id in loose}
        after = settings().lost_after_seconds
        return [task_id for task_id, since in self._suspects.items() if now - since >= after]


def _pause_seconds() -> float:
    """Return what is too long between two looks to be as it was set."""
    return max(settings().lost_after_seconds, 2 * settings().reconcile_seconds)


def watch() -> None:
    """Look for lost jobs in a thread of this process from now on, unless that is switched off."""
    if settings().reconcile_seconds > 0:
        Thread(target=_look_for_ever, name=NAME, daemon=True).start()


def _look_for_ever() -> None:
    reconciler, said = Reconciler(), ""
    while True:
        Event().wait(settings().reconcile_seconds)
        try:
            reconciler.look()
            said = ""
        except ServiceUnavailableError as exc:
            if str(exc) != said:
                logger.warning("lost jobs not looked for", extra={"reason": str(exc)})
            said = str(exc)
        except Exception:
            # Without this thread lost jobs would stay lost.
            logger.exception("look for lost jobs failed")
