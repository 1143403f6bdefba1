"""The life of one job: claim, put off, finish, fail; `submission` begins, `cancellation` ends it.

The only modules that change job records; the API and the task bodies call them.
"""

import json
import logging
from dataclasses import dataclass, replace
from time import time
from typing import Any, Final

from celery.exceptions import TimeLimitExceeded, WorkerLostError

from tasks import (
    answer_cache,
    audit,
    celery_results,
    documents,
    job_ends,
    job_kinds,
    lanes,
    problems,
    publisher,
    statistics,
    stores,
    sums,
)
from tasks.documents import (
    ClassifiedTask,
    FailedTask,
    RevocationReason,
    RevokedTask,
)
from tasks.errors import (
    PoisonedJobError,
    RevokedPackError,
    UnknownJobError,
)
from tasks.explaining import ends as explanations
from tasks.job_stores import (
    FAILURE,
    OVER,
    PENDING,
    RETRY,
    REVOKED,
    STARTED,
    SUCCESS,
    Job,
    JobStore,
    Kept,
    Outcome,
    Take,
)
from tasks.settings import settings

DEADLINE: Final = "deadline"
TAKES_WORKERS = (PoisonedJobError, WorkerLostError, TimeLimitExceeded)
"""What a job fails with that was started too often; its picture goes into quarantine."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finished:
    """The members of a finished document, and the job that was started with its end, if any."""

    members: dict[str, Any]
    following: Job | None


def claim(task_id: str, *, stage: str, owner: str = "", explained: int = 0) -> Job | None:
    """Start one stage of a job; None when nothing is to be done: it is over, or in other hands.

    One that nobody waits for any more is ended instead.

    `explained` are starts that are not held against it.

    Raises:
        UnknownJobError: there is no record; its message came from elsewhere, or it was withdrawn.
        PoisonedJobError: it was started `max_attempts` times and never ended.
    """
    store = stores.job_store()
    job = store.claim(task_id, stage=stage, owner=owner)
    if job is None:
        known = store.get(task_id)
        fields = {"request_id": known.request_id} if known else {}
        logger.info("job not claimed", extra={"task_id": task_id, "stage": stage, **fields})
        if known is None:
            raise UnknownJobError(f"there is no task {task_id!r}")
        return None
    if job.state != STARTED:
        drop_late(task_id)
        return None
    if job.attempts - explained > settings().max_attempts:
        raise PoisonedJobError(f"the job lost its worker {settings().max_attempts} times")
    return _started(job)


def try_again(
    task_id: str, exc: BaseException, *, queued_for_seconds: float = 0.0, lost_by: str = ""
) -> bool:
    """Send the message of a job anew that lost it, or its worker; tells whether this call did it.

    A job that lost its worker too often fails with `exc`, and its picture goes into quarantine.
    With `lost_by`, the owner that is gone, nothing happens to a job that another one has by now.

    Raises:
        ServiceUnavailableError: a store or the broker did not answer; whoever looks next does it.
    """
    store = stores.prompt_job_store()
    job = store.get(task_id)
    if job is None:
        store.discard(task_id)  # its record has expired
        return False
    is_of_another = lost_by and job.state == STARTED and job.owner != lost_by
    if job.state in OVER or is_of_another:
        return False
    if job.state == STARTED and job.attempts >= settings().max_attempts:
        fail(task_id, exc, fence=job.fence, store=store)
        return True
    job = replace(job, lane=job.lane or publisher.lane(job.stage or "classify"))
    task_name = lanes.task_of(job.lane)
    envelope = publisher.envelope(task_name, task_id, priority=job.priority)
    again = store.send_again(job, envelope, queued_for_seconds=queued_for_seconds)
    if again:
        lost = "its worker" if job.state == STARTED else "its message"
        reason = f"it lost {lost}" if isinstance(exc, PoisonedJobError) else str(exc)
        fields = {"task_id": task_id, "request_id": job.request_id, "reason": reason}
        logger.warning("job sent again", extra=fields)
        store.count({statistics.RESENT: 1})
        if envelope is None:
            publisher.publish(task_name, task_id, priority=job.priority)
    return again


def requeue_downloaded(job: Job, upload: bytes, *, download_ms: float) -> None:
    """Store a downloaded picture and hand the job to the classify queue.

    Nothing is left of the picture when the job is over already, as by another download of it.

    Raises:
        ServiceUnavailableError: a store or the broker did not take it; the task should retry.
    """
    stores.image_store().put(job.task_id, upload)
    envelope = publisher.envelope("classify", job.task_id, priority=job.priority)
    downloaded = replace(
        job,
        download_ms=download_ms,
        queued_since=time(),
        attempts=0,
        state=PENDING,
        lane=publisher.lane("classify", job.priority),
        owner="",
        upload_bytes=len(upload),
        answer_key=answer_cache.key_of_downloaded(upload, job),
    )
    if not stores.job_store().requeue(downloaded, envelope):
        if not is_wanted(job.task_id):
            stores.image_store().delete(job.task_id)
    elif envelope is None:
        publisher.publish("classify", job.task_id, priority=job.priority)


def finish(document: ClassifiedTask, *, job: Job, take: Take | None = None) -> Finished:
    """End a job as SUCCESS; an earlier end wins. With `take` the next one is started as well.

    A job that had an `answer` when it was started ends with that; of another one it is kept.
    """
    members = documents.as_dict(document)
    text = json.dumps(members)
    celery_result = celery_results.of_success(document.task_id, text)
    counts, kept = _of_success(document, members, job)
    outcome = Outcome(SUCCESS, text, counts, celery_result, kept=kept)
    store = stores.job_store()
    if take is None:
        is_ours, following = store.finish(document.task_id, outcome), None
    else:
        is_ours, following = store.finish_and_take(document.task_id, outcome, take)
    following = None if following is None else _started(following)
    if is_ours and not job.answer:
        sums.of_this_process().add(statistics.details_of(document))
    if is_ours:
        job_ends.say(job, SUCCESS, model=document.ref)
    else:
        earlier = store.document(document.task_id)
        members = members if earlier is None else dict(json.loads(earlier))
    return Finished(members, following)


def _of_success(
    document: ClassifiedTask, members: dict[str, Any], job: Job
) -> tuple[dict[str, int], Kept | None]:
    if not job.answer:
        return statistics.of_success(document), answer_cache.kept(job, members)
    return statistics.of_known(job.version, statistics.FOLLOWER), None


def _started(job: Job) -> Job:
    return replace(job, queued_ms=job.queued_ms_at(time()))


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
    problem, kind = problems.of(exc), job_kinds.of(job)
    model = version or job.version or job.model
    if kind.fail is not None:
        if kind.fail(job, problem.document(problems.detail_of(exc)), fence):
            job_ends.say_failed(job, exc, model=model)
        return
    error = problem.document(problems.detail_of(exc), instance=documents.result_url(task_id))
    document = FailedTask(task_id, FAILURE, job.model, job.filename, error)
    counts = _counts_of_end(job, FAILURE, version=version, error=problem.slug)
    result = celery_results.of_failure(task_id, exc) if kind.has_its_result_written else None
    text = documents.to_json(document)
    outcome = Outcome(FAILURE, text, counts, result, kind.lives_seconds)
    if not store.finish(task_id, outcome, fence=fence):
        return
    job_ends.say_failed(job, exc, model=model)
    if isinstance(exc, TAKES_WORKERS):
        stores.quarantine().put(job, cause=error.detail)
        store.count({statistics.QUARANTINED: 1})
        audit.note(audit.QUARANTINED, task_id, by=audit.THE_SERVICE, cause=error.detail)


def _counts_of_end(job: Job, state: str, *, version: str = "", error: str = "") -> dict[str, int]:
    """Return what an end counts for, by the version of the model as far as it is known."""
    if not job_kinds.of(job).is_counted:
        return {}
    known = version or job.version or statistics.UNKNOWN
    return statistics.of_end(state, model=known, error=error)


def drop_late(task_id: str) -> bool:
    """End a job that nobody waits for any more, unless it runs or is over; tells whether it did."""
    store = stores.prompt_job_store()
    job = store.get(task_id)
    if job is None:
        store.discard(task_id)
        return False
    dropped = store.revoke(task_id, revoked(job, reason=DEADLINE)) in {PENDING, RETRY}
    if dropped:
        job_ends.say(job, REVOKED, error=DEADLINE)
        stores.drop_upload(task_id)
    return dropped


def end_revoked(task_id: str) -> None:
    """End a job that Celery revoked or terminated by itself, as from Flower."""
    store = stores.job_store()
    job = store.get(task_id)
    if job is not None and job_kinds.of(job).fail is not None:
        fail(task_id, RevokedPackError("an operator revoked the task of these pictures"))
    elif job is not None and store.finish(task_id, revoked(job)):
        job_ends.say(job, REVOKED)


def revoke_waiting(task_id: str) -> None:
    """End a job that Celery was asked to revoke before it begins."""
    store = stores.prompt_job_store()
    job = store.get(task_id)
    if job is not None and store.revoke(task_id, revoked(job)) in {PENDING, RETRY}:
        job_ends.say(job, REVOKED)


def revoked(job: Job, *, reason: RevocationReason | None = None) -> Outcome:
    """Return how a job ends that is not to be done, and why, as far as it was not its client."""
    document = documents.to_json(RevokedTask(job.task_id, REVOKED, job.model, job.filename, reason))
    counts = _counts_of_end(job, REVOKED, error=reason or "")
    result = celery_results.of_revocation(job.task_id, reason=reason)
    return Outcome(REVOKED, document, counts, result, job_kinds.of(job).lives_seconds)


def is_wanted(task_id: str) -> bool:
    """Tell whether the picture of a job may still be asked for."""
    job = stores.job_store().get(task_id)
    is_open = job is not None and job.state not in OVER
    return is_open or stores.quarantine().has(task_id) or _is_kept(job)


def _is_kept(job: Job | None) -> bool:
    """Tell whether an explanation may still be asked for; of most pictures it may not."""
    return job is not None and bool(job.explain) and explanations.is_kept(job.task_id)
