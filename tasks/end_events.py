"""The event by which Flower shows a job that is over and whose task `classify` was never sent."""

import logging
from typing import Any

from tasks import documents, stores
from tasks.documents import FailedTask
from tasks.errors import ServiceUnavailableError
from tasks.job_stores import FAILURE, REVOKED, SUCCESS, Job

logger = logging.getLogger(__name__)


def of(task_id: str) -> dict[str, Any] | None:
    """Return the event of a job that failed or was revoked, with its `type`; None for any other.

    No `task-received` comes before it: Flower would count a task that was received and never
    started as prefetched for ever.
    """
    try:
        job = stores.prompt_job_store().get(task_id)
        return None if job is None else _of_job(job)
    except ServiceUnavailableError as exc:
        # The end, if there is one, is in the record; only Flower does not show it.
        logger.info("end not shown in Flower", extra={"task_id": task_id, "reason": str(exc)})
        return None


def has_succeeded(task_id: str) -> bool:
    """Tell whether a job is known to have ended well."""
    try:
        job = stores.prompt_job_store().get(task_id)
    except ServiceUnavailableError as exc:
        logger.info("end not looked up", extra={"task_id": task_id, "reason": str(exc)})
        return False
    return job is not None and job.state == SUCCESS


def _of_job(job: Job) -> dict[str, Any] | None:
    task_id = job.task_id
    task = {"uuid": task_id, "name": "classify", "args": repr((task_id,)), "kwargs": "{}"}
    if job.state == REVOKED:
        return {"type": "task-revoked", **task}
    if job.state == FAILURE:
        # Flower sorts by when a task was received.
        return {"type": "task-failed", **task, "received": job.accepted_at, **_exception(job)}
    return None


def _exception(job: Job) -> dict[str, str]:
    """Return what its client is told, if that is still there."""
    text = stores.prompt_job_store().document(job.task_id)
    end = documents.finished(text) if text else None
    if not isinstance(end, FailedTask):
        return {}
    return {"exception": f"{end.error.title}: {end.error.detail}"}
