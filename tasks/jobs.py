"""The life of one job: submit, claim, finish, fail, revoke, view.

The only module that changes job records; the API and the task bodies call it.
"""

import json
import logging
from dataclasses import dataclass, replace
from time import time
from typing import Any
from uuid import uuid4

from tasks import problems, publisher, results, statistics, stores
from tasks.errors import (
    ExpiredJobError,
    NotRevocableError,
    PoisonedJobError,
    ServiceUnavailableError,
    UnknownJobError,
)
from tasks.job_stores import (
    FAILURE,
    OVER,
    PENDING,
    REVOKED,
    STARTED,
    SUCCESS,
    TRAINING,
    Job,
    JobStore,
    Outcome,
    Watch,
)
from tasks.settings import settings
from tasks.urls import filename_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a client is told about a job: its state, and the document once it is over.

    Until then a training has `progress`, a JSON object.
    """

    task_id: str
    state: str
    document: str | None = None
    progress: str = ""


def submit_upload(
    upload: bytes, *, filename: str, model: str, top_k: int, wait_seconds: float = 0.0
) -> Answer:
    """Store the picture, record the job, queue its classification.

    Returns the accepted job, or the finished one when it is over within the wait.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
    """
    job = _new_job(filename, model, top_k)
    stores.image_store().put(job.task_id, upload)
    return _accept(job, "classify", wait_seconds)


def submit_url(image_url: str, *, model: str, top_k: int, wait_seconds: float = 0.0) -> Answer:
    """Record the job and queue its download; returns like `submit_upload`.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
    """
    job = replace(_new_job(filename_of(image_url), model, top_k), image_url=image_url)
    return _accept(job, "download", wait_seconds)


def _accept(job: Job, task_name: str, wait_seconds: float) -> Answer:
    if wait_seconds <= 0:
        _record_and_publish(job, task_name)
        return Answer(job.task_id, PENDING)
    with stores.prompt_job_store().watching(job.task_id) as watch:
        _record_and_publish(job, task_name)
        try:
            return _watched(watch, job.task_id, wait_seconds)
        except ServiceUnavailableError as exc:
            # The job is accepted: its client gets the id, and asks for the result later.
            logger.warning("wait ended early", extra={"task_id": job.task_id, "reason": str(exc)})
            return Answer(job.task_id, PENDING)


def _watched(watch: Watch, task_id: str, wait_seconds: float) -> Answer:
    document = watch.wait(seconds=wait_seconds)
    if document is None:
        return _view(stores.prompt_job_store(), task_id)
    return Answer(task_id, json.loads(document)["state"], document)


def _new_job(filename: str, model: str, top_k: int) -> Job:
    now = time()
    return Job(
        task_id=str(uuid4()),
        model=model,
        top_k=top_k,
        filename=filename,
        accepted_at=now,
        queued_since=now,
    )


def _record_and_publish(job: Job, task_name: str) -> None:
    try:
        stores.prompt_job_store().create(job)
        publisher.publish(task_name, job.task_id)
    except ServiceUnavailableError:
        _withdraw(job)
        raise


def _withdraw(job: Job) -> None:
    """Undo a submission: a job is accepted whole or not at all.

    A message that reached the broker after all finds no record and is dropped by its claim.
    """
    for undo in (stores.image_store().delete, stores.prompt_job_store().discard):
        try:
            undo(job.task_id)
        except ServiceUnavailableError as exc:
            # The record expires and the upload is swept; the client has its 503.
            reason = {"task_id": job.task_id, "reason": str(exc)}
            logger.warning("submission not undone", extra=reason)


def claim(task_id: str, *, stage: str, retries: int = 0) -> Job | None:
    """Start one stage of a job; None when it is unknown or over and nothing is to be done.

    `retries` are starts that the task itself asked for; only the others are held against it.

    Raises:
        PoisonedJobError: it was started `max_attempts` times and never ended.
    """
    job = stores.job_store().claim(task_id, stage=stage)
    if job is None:
        logger.info("job not claimed", extra={"task_id": task_id, "stage": stage})
        return None
    if job.attempts - retries > settings().max_attempts:
        raise PoisonedJobError(f"the job lost its worker {settings().max_attempts} times")
    return replace(job, queued_ms=job.queued_ms_at(time()))


def requeue_downloaded(job: Job, upload: bytes, *, download_ms: float) -> None:
    """Store a downloaded picture and hand the job to the classify queue.

    Nothing is left of the picture when the job is over already, as by another download of it.

    Raises:
        ServiceUnavailableError: a store or the broker did not take it; the task should retry.
    """
    stores.image_store().put(job.task_id, upload)
    downloaded = replace(job, download_ms=download_ms, queued_since=time(), attempts=0)
    if stores.job_store().requeue(downloaded):
        publisher.publish("classify", job.task_id)
    else:
        stores.image_store().delete(job.task_id)


def finish(job: Job, document: dict[str, Any]) -> dict[str, Any]:
    """End a job as SUCCESS and return its document; an earlier end wins and is returned."""
    text = json.dumps(document)
    celery_result = results.of_success(job.task_id, text)
    outcome = Outcome(SUCCESS, text, statistics.of_success(document), celery_result)
    if not stores.job_store().finish(job.task_id, outcome):
        earlier = stores.job_store().document(job.task_id)
        return document if earlier is None else dict(json.loads(earlier))
    return document


def fail(task_id: str, exc: BaseException) -> None:
    """End a job as FAILURE, with the problem that the exception stands for."""
    store = stores.job_store()
    job = store.get(task_id)
    if job is None:
        logger.warning("failure of an unknown job", extra={"task_id": task_id})
        return
    problem = problems.of(exc)
    error = problem.document(problems.detail_of(exc), instance=f"/result/{task_id}")
    document = _over_document(job, FAILURE) | {"error": error}
    counts, lives = _counts_of_end(job, FAILURE, error=problem.slug), _lives_seconds(job)
    store.finish(task_id, Outcome(FAILURE, json.dumps(document), counts, lives_seconds=lives))


def _lives_seconds(job: Job) -> int:
    both = settings()
    return both.training_ttl_seconds if job.kind == TRAINING else both.result_ttl_seconds


def _counts_of_end(job: Job, state: str, *, error: str = "") -> dict[str, float]:
    """Return what an end counts for; the statistics are those of pictures."""
    trained = job.kind == TRAINING
    return {} if trained else statistics.of_end(state, model=job.model, error=error)


def revoke(task_id: str) -> Answer:
    """Revoke a job that has not started, and a training also when it has.

    Raises:
        UnknownJobError, ExpiredJobError: see `view`.
        NotRevocableError: it has started or is over.
    """
    store = stores.prompt_job_store()
    job = store.get(task_id)
    if job is None:
        raise UnknownJobError(f"there is no task {task_id!r}")
    outcome = _revoked(job)
    trains = job.kind == TRAINING
    before = store.revoke(task_id, outcome, started=trains)
    if before in OVER:
        raise NotRevocableError(f"the task is over ({before}); nothing is left to revoke")
    if before == STARTED and not trains:
        raise NotRevocableError("the task has started; only a waiting one can be revoked")
    _tidy_after_revocation(job)
    return Answer(task_id, REVOKED, outcome.document)


def _tidy_after_revocation(job: Job) -> None:
    """Tell the workers and delete the picture; the record alone already stops a waiting job."""
    of_picture = (publisher.revoke, stores.image_store().delete)
    for tidy in (publisher.stop_training,) if job.kind == TRAINING else of_picture:
        try:
            tidy(job.task_id)
        except ServiceUnavailableError as exc:
            logger.warning("revocation", extra={"task_id": job.task_id, "reason": str(exc)})


def end_revoked(task_id: str) -> None:
    """End a job that Celery revoked or terminated by itself, as from Flower."""
    store = stores.job_store()
    job = store.get(task_id)
    if job is not None:
        store.finish(task_id, _revoked(job))


def _revoked(job: Job) -> Outcome:
    document = json.dumps(_over_document(job, REVOKED))
    counts = _counts_of_end(job, REVOKED)
    return Outcome(
        REVOKED, document, counts, results.of_revocation(job.task_id), _lives_seconds(job)
    )


def is_wanted(task_id: str) -> bool:
    """Tell whether the picture of a job may still be asked for."""
    job = stores.job_store().get(task_id)
    return job is not None and job.state not in OVER


def _over_document(job: Job, state: str) -> dict[str, Any]:
    return {
        "task_id": job.task_id,
        "state": state,
        "model": job.model,
        "filename": job.filename,
    }


def view(task_id: str, *, wait_seconds: float = 0.0) -> Answer:
    """Return what is known of a job, at once or as soon as it is over within the wait.

    Raises:
        UnknownJobError: no such task id.
        ExpiredJobError: it is over and its document's time to live passed.
    """
    store = stores.prompt_job_store()
    answer = _view(store, task_id)
    if wait_seconds <= 0 or answer.document is not None:
        return answer
    with store.watching(task_id) as watch:
        # It may have ended before the watch began; that end sends no further notice.
        answer = _view(store, task_id)
        if answer.document is not None:
            return answer
        return _watched(watch, task_id, wait_seconds)


def _view(store: JobStore, task_id: str) -> Answer:
    # The document is looked up first: a job that ends between the two look-ups is then
    # seen as over without a document, so that case is looked up once more.
    document = store.document(task_id)
    if document is not None:
        return Answer(task_id, json.loads(document)["state"], document)
    job = store.get(task_id)
    if job is None:
        raise UnknownJobError(f"there is no task {task_id!r}")
    if job.state not in OVER:
        return Answer(task_id, job.state, progress=job.progress if job.state == STARTED else "")
    document = store.document(task_id)
    if document is None:
        lives = _lives_seconds(job)
        raise ExpiredJobError(f"the result of {task_id} was kept for {lives} seconds and is gone")
    return Answer(task_id, job.state, document)
