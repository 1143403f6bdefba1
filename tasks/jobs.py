"""The life of one job: submit, claim, finish, fail, revoke, view.

The only module that changes job records; the API and the task bodies call it.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import time
from typing import Any
from uuid import uuid4

from celery.exceptions import (
    Ignore,
    SoftTimeLimitExceeded,
    TimeLimitExceeded,
    WorkerLostError,
)

from tasks import (
    celery_results,
    documents,
    holding,
    job_kinds,
    problems,
    publisher,
    statistics,
    stores,
)
from tasks.documents import ClassifiedTask, FailedTask, FinishedTask, Progress, RevokedTask
from tasks.envelopes import Envelope
from tasks.errors import (
    CAN_HEAL,
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
    Job,
    JobStore,
    Outcome,
    Watch,
)
from tasks.settings import settings
from tasks.urls import filename_of

LONGEST_PAUSE_SECONDS = 15.0
EAGER_TRIES = 8
TAKES_WORKERS = (PoisonedJobError, WorkerLostError, TimeLimitExceeded)
"""What a job fails with that was started too often; its picture goes into quarantine."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a client is told about a job: its state, and the document once it is over, as JSON.

    A training that runs has `progress`.
    """

    task_id: str
    state: str
    document: str | None = None
    progress: Progress | None = None

    @property
    def finished(self) -> FinishedTask | None:
        """What the document says, or None while the job is not over."""
        return None if self.document is None else documents.finished(self.document)


@dataclass(frozen=True)
class Asked:
    """What a client wants of a picture.

    Attributes:
        model: The reference that it named, or the default one.
        version: What that means now, as in `imagenet@1`; empty where nobody has looked.
        top_k: How many labels.
    """

    model: str
    top_k: int
    version: str = ""


def submit_upload(
    upload: bytes, *, filename: str, asked: Asked, wait_seconds: float = 0.0
) -> Answer:
    """Store the picture, record the job, queue its classification.

    Returns the accepted job, or the finished one when it is over within the wait.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
    """
    job = _new_job(filename, asked)
    stores.image_store().put(job.task_id, upload)
    return _accept(job, "classify", wait_seconds)


def submit_url(image_url: str, *, asked: Asked, wait_seconds: float = 0.0) -> Answer:
    """Record the job and queue its download; returns like `submit_upload`.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
    """
    job = replace(_new_job(filename_of(image_url), asked), image_url=image_url)
    return _accept(job, "download", wait_seconds)


def _accept(job: Job, task_name: str, wait_seconds: float) -> Answer:
    job = replace(job, lane=publisher.QUEUE_OF_TASK[task_name])
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


def _new_job(filename: str, asked: Asked) -> Job:
    now = time()
    return Job(
        task_id=str(uuid4()),
        model=asked.model,
        version=asked.version,
        top_k=asked.top_k,
        filename=filename,
        accepted_at=now,
        queued_since=now,
    )


def _record_and_publish(job: Job, task_name: str) -> None:
    """Accept a job: record and message in one step where they lie in one Redis."""
    envelope = publisher.envelope(task_name, job.task_id)

    def publish() -> None:
        if envelope is None:
            publisher.publish(task_name, job.task_id)

    record(job, publish=publish, envelope=envelope)


def record(job: Job, *, publish: Callable[[], None], envelope: Envelope | None = None) -> None:
    """Write the record of a new job, then publish its message; undo both if either fails.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
    """
    try:
        stores.prompt_job_store().create(job, envelope)
        publish()
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


def claim(task_id: str, *, stage: str, owner: str = "", explained: int = 0) -> Job | None:
    """Start one stage of a job; None when nothing is to be done: it is over, or in other hands.

    `explained` are starts that are not held against it.

    Raises:
        UnknownJobError: there is no record; its message came from elsewhere, or it was withdrawn.
        PoisonedJobError: it was started `max_attempts` times and never ended.
    """
    store = stores.job_store()
    job = store.claim(task_id, stage=stage, owner=owner)
    if job is None:
        logger.info("job not claimed", extra={"task_id": task_id, "stage": stage})
        if store.get(task_id) is None:
            raise UnknownJobError(f"there is no task {task_id!r}")
        return None
    if job.attempts - explained > settings().max_attempts:
        raise PoisonedJobError(f"the job lost its worker {settings().max_attempts} times")
    return replace(job, queued_ms=job.queued_ms_at(time()))


@contextmanager
def work_on(task_id: str, *, stage: str, queue: str) -> Iterator[Job | None]:
    """Give a claimed job, and put it off when a store is away: that is no fault of the job.

    None when nothing is to be done. While it is worked on, this process says that it holds it.
    """
    job: Job | None = None
    try:
        job = claim(task_id, stage=stage, owner=holding.member(queue))
        if job is not None:
            holding.hold(job)
        yield job
    except (*CAN_HEAL, SoftTimeLimitExceeded) as exc:
        # A limit that is over outside of the picture's own time was spent on waiting for a store.
        put_off(task_id, job, exc)
        raise Ignore from exc


def put_off(task_id: str, job: Job | None, exc: BaseException) -> None:
    """Let a job be tried again later, without holding this start against it.

    Where not even that can be written the job is found by those who look for lost ones.
    """
    fields = {"task_id": task_id, "reason": f"{type(exc).__name__}: {exc}"}
    logger.warning("job put off", extra=fields)
    if job is None:
        return
    if time() - job.accepted_at > settings().give_up_seconds or _is_tried_out(job):
        fail(task_id, exc, fence=job.fence)
        return
    try:
        again = stores.job_store().postpone(job, seconds=_pause_seconds(job))
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


def try_again(task_id: str, exc: BaseException, *, queued_for_seconds: float = 0.0) -> bool:
    """Send the message of a job anew that lost it, or its worker; tells whether this call did it.

    A job that lost its worker too often fails with `exc`, and its picture goes into quarantine.

    Raises:
        ServiceUnavailableError: a store or the broker did not answer; whoever looks next does it.
    """
    store = stores.prompt_job_store()
    job = store.get(task_id)
    if job is None or job.state in OVER:
        return False
    if job.state == STARTED and job.attempts >= settings().max_attempts:
        fail(task_id, exc, fence=job.fence, store=store)
        return True
    job = replace(job, lane=job.lane or publisher.QUEUE_OF_TASK[job.stage or "classify"])
    task_name = _TASK_OF_LANE[job.lane]
    envelope = publisher.envelope(task_name, task_id)
    again = store.send_again(job, envelope, queued_for_seconds=queued_for_seconds)
    if again:
        store.count({statistics.RESENT: 1})
        if envelope is None:
            publisher.publish(task_name, task_id)
    return again


_TASK_OF_LANE = {queue: task for task, queue in publisher.QUEUE_OF_TASK.items()}


def requeue_downloaded(job: Job, upload: bytes, *, download_ms: float) -> None:
    """Store a downloaded picture and hand the job to the classify queue.

    Nothing is left of the picture when the job is over already, as by another download of it.

    Raises:
        ServiceUnavailableError: a store or the broker did not take it; the task should retry.
    """
    stores.image_store().put(job.task_id, upload)
    envelope = publisher.envelope("classify", job.task_id)
    downloaded = replace(
        job,
        download_ms=download_ms,
        queued_since=time(),
        attempts=0,
        state=PENDING,
        lane=publisher.QUEUE_OF_TASK["classify"],
        owner="",
    )
    if not stores.job_store().requeue(downloaded, envelope):
        if not is_wanted(job.task_id):
            stores.image_store().delete(job.task_id)
    elif envelope is None:
        publisher.publish("classify", job.task_id)


def finish(document: ClassifiedTask) -> dict[str, Any]:
    """End a job as SUCCESS and return its document; an earlier end wins and is returned."""
    members = documents.as_dict(document)
    text = json.dumps(members)
    celery_result = celery_results.of_success(document.task_id, text)
    outcome = Outcome(SUCCESS, text, statistics.of_success(document), celery_result)
    if not stores.job_store().finish(document.task_id, outcome):
        earlier = stores.job_store().document(document.task_id)
        return members if earlier is None else dict(json.loads(earlier))
    return members


def fail(
    task_id: str,
    exc: BaseException,
    *,
    version: str = "",
    fence: int | None = None,
    store: JobStore | None = None,
) -> None:
    """End a job as FAILURE, with the problem that the exception stands for.

    `version` is the one that was at work; without it the failure counts for the version that the
    client's reference meant when the job was accepted. With a `fence` nothing happens to a job that
    was claimed since.
    """
    store = store or stores.job_store()
    job = store.get(task_id)
    if job is None:
        logger.warning("failure of an unknown job", extra={"task_id": task_id})
        return
    problem = problems.of(exc)
    error = problem.document(problems.detail_of(exc), instance=f"/result/{task_id}")
    document = FailedTask(task_id, FAILURE, job.model, job.filename, error)
    counts = _counts_of_end(job, FAILURE, version=version, error=problem.slug)
    kind = job_kinds.of(job)
    result = celery_results.of_failure(task_id, exc) if kind.has_its_result_written else None
    text = documents.to_json(document)
    outcome = Outcome(FAILURE, text, counts, result, kind.lives_seconds)
    if store.finish(task_id, outcome, fence=fence) and isinstance(exc, TAKES_WORKERS):
        stores.quarantine().put(job)


def _counts_of_end(job: Job, state: str, *, version: str = "", error: str = "") -> dict[str, float]:
    """Return what an end counts for, by the version of the model as far as it is known."""
    if not job_kinds.of(job).is_counted:
        return {}
    return statistics.of_end(state, model=version or job.version or job.model, error=error)


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
    outcome, kind = _revoked(job), job_kinds.of(job)
    before = store.revoke(task_id, outcome, started=kind.is_revocable_when_started)
    if before in OVER:
        over = _view(store, task_id)
        raise NotRevocableError(f"the task is over ({over.state}); nothing is left to revoke")
    if before == STARTED and not kind.is_revocable_when_started:
        raise NotRevocableError("the task has started; only a waiting one can be revoked")
    _tidy_after_revocation(task_id, kind.tidy)
    return Answer(task_id, REVOKED, outcome.document)


def _tidy_after_revocation(task_id: str, tidy: tuple[Callable[[str], None], ...]) -> None:
    """Tell the workers and delete the picture; the record alone already stops a waiting job."""
    for each in tidy:
        try:
            each(task_id)
        except ServiceUnavailableError as exc:
            logger.warning("revocation", extra={"task_id": task_id, "reason": str(exc)})


def end_revoked(task_id: str) -> None:
    """End a job that Celery revoked or terminated by itself, as from Flower."""
    store = stores.job_store()
    job = store.get(task_id)
    if job is not None:
        store.finish(task_id, _revoked(job))


def _revoked(job: Job) -> Outcome:
    document = documents.to_json(RevokedTask(job.task_id, REVOKED, job.model, job.filename))
    counts = _counts_of_end(job, REVOKED)
    result = celery_results.of_revocation(job.task_id)
    return Outcome(REVOKED, document, counts, result, job_kinds.of(job).lives_seconds)


def is_wanted(task_id: str) -> bool:
    """Tell whether the picture of a job may still be asked for."""
    job = stores.job_store().get(task_id)
    is_open = job is not None and job.state not in OVER
    return is_open or stores.quarantine().has(task_id)


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
        return Answer(task_id, job.state, progress=_progress(job))
    document = store.document(task_id)
    if document is None:
        lives = job_kinds.of(job).lives_seconds
        raise ExpiredJobError(f"the result of {task_id} was kept for {lives} seconds and is gone")
    return Answer(task_id, job.state, document)


def _progress(job: Job) -> Progress | None:
    if job.state != STARTED or not job.progress:
        return None
    return Progress(**json.loads(job.progress))
