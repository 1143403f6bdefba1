"""What Celery's remote control revokes, as from Flower: the job of a waiting task ends at once.

Celery's workers only remember the id, and refuse the task when its message reaches one of them.
A child that takes pictures along (see `along`) never shows its main process their messages; what
every taker asks is the record.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.utils.functional import maybe_list
from celery.worker.control import Panel

from tasks import envelopes, jobs
from tasks.errors import ServiceUnavailableError

Command = Callable[..., Any]

logger = logging.getLogger(__name__)


def take_over() -> None:
    """Let the two commands that revoke tasks also end the jobs of those that wait."""
    for name, where in (("revoke", 0), ("terminate", 1)):
        Panel.data[name] = _ending(Panel.data[name], where)


def _ending(celerys_own: Command, where: int) -> Command:
    """Return a command that ends jobs after Celery's own, whose argument `where` has the ids."""

    def command(state: Any, *args: Any, **options: Any) -> Any:
        answer = celerys_own(state, *args, **options)
        task_ids = args[where] if len(args) > where else options.get("task_id")
        for celery_id in maybe_list(task_ids) or ():
            _end(celery_id)
        return answer

    return command


def _end(celery_id: str) -> None:
    try:
        jobs.revoke_waiting(envelopes.job_of(celery_id))
    except ServiceUnavailableError as exc:
        # Celery's own way is left: whoever gets the message refuses it.
        logger.warning("job not revoked", extra={"task_id": celery_id, "reason": str(exc)})
