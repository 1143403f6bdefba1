"""Ending a job at its client's wish: one that is not over is cancelled, one that is, forgotten."""

import logging
from collections.abc import Callable

from tasks import celery_results, job_ends, job_kinds, jobs, ledger, stores, views
from tasks.errors import ServiceUnavailableError, UnknownJobError
from tasks.explaining import ends as explanations
from tasks.job_stores import BULK, OVER, REVOKED, Job, JobStore
from tasks.views import Answer

logger = logging.getLogger(__name__)


def cancel(task_id: str) -> Answer | None:
    """Cancel a job that is not over, and forget one that is: then there is no answer.

    Whoever works on it finds that out before its next stage; its answer counts no more. What is
    forgotten is not kept in quarantine either.

    Raises:
        UnknownJobError: no such task id.
        ExpiredJobError: it is over and its document is gone already.
    """
    store = stores.prompt_job_store()
    job = store.get(task_id)
    if job is None or job.kind == BULK:  # A bulk is cancelled whole.
        raise UnknownJobError(f"there is no task {task_id!r}")
    outcome = jobs.revoked(job)
    before = store.revoke(task_id, outcome, started=True)
    if before is None:
        raise UnknownJobError(f"there is no task {task_id!r} any more")
    if before in OVER:
        _forget(store, job)
        return None
    job_ends.say(job, REVOKED)
    _tidy_up_after(job, job_kinds.of(job).tidy)
    return Answer(task_id, REVOKED, outcome.document)


def _forget(store: JobStore, job: Job) -> None:
    key = celery_results.key_of(job.task_id)
    if job.explain:
        _tidy_up_after(job, (explanations.forget,))
    was_kept = stores.quarantine().has(job.task_id)
    if was_kept:
        ledger.purge(job.task_id)
    if not store.forget(job.task_id, celery_key=key) and not was_kept:
        raise views.gone(job)
    if not key:
        _tidy_up_after(job, (celery_results.forget,))


def _tidy_up_after(job: Job, tidy: tuple[Callable[[str], None], ...]) -> None:
    """Tell the workers, delete what is left; the record alone already says what became of it."""
    for each in tidy:
        try:
            each(job.task_id)
        except ServiceUnavailableError as exc:
            logger.warning("revocation", extra={"task_id": job.task_id, "reason": str(exc)})
