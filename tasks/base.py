"""The base of both tasks: errors that one job may not spread."""

from typing import Any

from celery import Task

from model_store import ModelStoreError
from tasks.errors import JobError, JobMemoryError, UnknownJobError


class JobTask(Task):  # type: ignore[type-arg]
    """A task whose only argument is a task id."""

    Request = "tasks.delivery:Delivery"

    # These end a job and are told to its client; a traceback in the log would say nothing more.
    throws = (JobError, ModelStoreError, UnknownJobError)
    resultrepr_maxsize = 120  # of the result in events; its repr was 7 % of a child's Python time
    max_retries = 0  # what is tried again is the ledger's business, see `jobs.try_again`

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body; a MemoryError becomes a failure of this job.

        Celery re-raises MemoryError in the worker's main process, which ends it and puts the
        message back: one picture would take down every worker in turn (celery#10462).
        """
        try:
            return super().__call__(*args, **kwargs)
        except (MemoryError, RecursionError) as exc:
            raise JobMemoryError.of(exc) from None
