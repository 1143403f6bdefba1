"""What the tasks do around their work on a job: claim, hold, and put off what can heal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import time

from celery.exceptions import Ignore, SoftTimeLimitExceeded

from tasks import celery_results, correlation, holding, jobs, publisher, stores
from tasks.errors import CAN_HEAL, ServiceUnavailableError
from tasks.job_stores import REVOKED, Job
from tasks.settings import settings

LONGEST_PAUSE_SECONDS = 15.0
EAGER_TRIES = 8

logger = logging.getLogger(__name__)


@contextmanager
def work_on(task_id: str, *, stage: str, queue: str) -> Iterator[Job | None]:
    """Give a claimed job, and put it off when a store is away: that is no fault of the job.

    None when nothing is to be done. While it is worked on, this process says that it holds it.
    """
    with putting_off(task_id):
        job = jobs.claim(task_id, stage=stage, owner=holding.member(queue))
        if job is None:
            yield None
            return
    with correlation.of(job), putting_off(task_id, job):
        holding.hold(job)
        _tidy_after_loss(job)
        yield job


@contextmanager
def putting_off(task_id: str, job: Job | None = None) -> Iterator[None]:
    """Put a job off, as far as it is claimed, for what can heal; its task then ends as ignored."""
    try:
        yield
    except (*CAN_HEAL, SoftTimeLimitExceeded) as exc:
        # A limit that is over outside of the picture's own time was spent on waiting for a store.
        put_off(task_id, job, exc)
        raise Ignore from exc


def _tidy_after_loss(job: Job) -> None:
    """Delete the picture of the job before, whose process was lost between its end and that.

    Not where the loss is seen: that process forks, and must not touch the image store.
    """
    if job.before and job.attempts > 1 and not jobs.is_wanted(job.before):
        stores.drop_upload(job.before)


def ignored(task_id: str) -> Ignore:
    """Return what ends a task whose job ended otherwise, once Celery knows if it was revoked."""
    if not celery_results.are_written_with_the_record():
        job = stores.job_store().get(task_id)
        if job is not None and job.state == REVOKED:
            celery_results.say_revoked(task_id)
    return Ignore()


def put_off(task_id: str, job: Job | None, exc: BaseException) -> None:
    """Let a job be tried again later, without holding this start against it.

    Where not even that can be written the job is found by those who look for lost ones.
    """
    fields = {"task_id": task_id, "reason": f"{type(exc).__name__}: {exc}"}
    logger.warning("job put off", extra=fields)
    if job is None:
        return
    if time() - job.accepted_at > settings().give_up_seconds or _is_tried_out(job):
        jobs.fail(task_id, exc, fence=job.fence)
        return
    try:
        again = stores.job_store().postpone(job, seconds=_pause_seconds(job))
        if not again and not jobs.is_wanted(task_id):
            # Its end was written after all, though nobody heard of that.
            stores.drop_upload(task_id)
    except ServiceUnavailableError as away:
        logger.warning("job not put off", extra={"task_id": task_id, "reason": str(away)})
        return
    if again and publisher.runs_here():
        publisher.publish(job.stage, task_id)


def _is_tried_out(job: Job) -> bool:
    """Tell whether a job that runs in this process was put off so often that it would go round."""
    return publisher.runs_here() and job.postponed >= EAGER_TRIES


def _pause_seconds(job: Job) -> float:
    return float(min(2**job.postponed, LONGEST_PAUSE_SECONDS))
