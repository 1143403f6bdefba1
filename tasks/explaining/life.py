"""The life of an explanation: what is kept for it, accept, show, forget.

An explanation is a job of its own, in a lane of its own; the API, the task, the sweep and the
reconciler call what is here.
"""

from dataclasses import replace
from time import time

from tasks import correlation, documents, lanes, publisher, stores, views
from tasks.errors import (
    ExplanationsOffError,
    NotAskedError,
    PictureNotKeptError,
    QueueFullError,
    UnexplainableError,
    UnknownJobError,
)
from tasks.explaining import records
from tasks.explaining.records import KEPT
from tasks.job_stores import (
    CLASSIFICATION,
    EXPLANATION,
    FAILURE,
    OVER,
    REVOKED,
    SUCCESS,
    Job,
)
from tasks.settings import settings
from tasks.views import Answer

TASK = "explain"
RETRY_AFTER_SECONDS = 10


def are_on() -> bool:
    """Tell whether this service makes explanations."""
    return settings().keep_pictures_seconds > 0


def kept(job: Job) -> Job:
    """Note that the picture of a new job outlives it, where its client or the operator wants that.

    Called before the job is recorded. Who asked for nothing is served where there is no room.

    Raises:
        QueueFullError: so many are kept that there is no room for another one.
        ServiceUnavailableError: the store did not answer.
    """
    limits = settings()
    if not (job.explain or (limits.keep_every_picture and are_on())):
        return job
    seconds, most = limits.keep_pictures_seconds, limits.keep_pictures_most
    if stores.keeping().keep(job.task_id, seconds=seconds, most=most):
        return replace(job, explain=job.explain or KEPT)
    if not job.explain:
        return job
    detail = f"{most} pictures are kept for explanations already; send it again later"
    raise QueueFullError(detail, retry_after_seconds=RETRY_AFTER_SECONDS)


def ask(task_id: str, label: str = "") -> Answer:
    """Accept the explanation of a picture's label, by default its best one; return how it is.

    Who asks again is given the same one.

    Raises:
        UnknownJobError, ExpiredJobError: there is no such picture.
        ExplanationsOffError: this service makes none.
        UnexplainableError: the picture has no label, as its job failed.
        PictureNotKeptError: the picture is deleted.
        QueueFullError: so many wait already that another one is not accepted.
        ServiceUnavailableError: a part did not answer; the client should ask again.
    """
    store, explanation_id = stores.prompt_job_store(), records.id_of(task_id, label)
    picture = _picture(task_id)
    if store.get(explanation_id) is not None:
        return views.view(explanation_id)
    _check(picture)
    job = _job_of(picture, explanation_id, label)
    seconds = settings().longest_record_seconds
    stores.keeping().note(task_id, explanation_id, seconds=seconds)
    envelope = publisher.envelope(TASK, explanation_id)
    store.create(job, envelope)
    if envelope is None:
        publisher.publish(TASK, explanation_id)
    return views.view(explanation_id)


def _picture(task_id: str) -> Job:
    job = stores.prompt_job_store().get(task_id)
    if job is None or job.kind != CLASSIFICATION:
        raise UnknownJobError(f"there is no picture {task_id!r}")
    if job.state in OVER and not job.filename:
        raise views.gone(job)
    return job


def _check(picture: Job) -> None:
    if not are_on():
        detail = "this service keeps no pictures; its operator sets for how long it does"
        raise ExplanationsOffError(f"{detail} (PETIOLE_TASKS_KEEP_PICTURES_SECONDS)")
    if picture.state in {FAILURE, REVOKED}:
        raise UnexplainableError(f"the task is {picture.state}: it has no label to explain")
    if not picture.explain or not stores.keeping().has(picture.task_id):
        raise PictureNotKeptError(
            "the picture is deleted; send it again with explain=true, or with keep=true to ask"
            f" later, within {settings().keep_pictures_seconds} seconds"
        )
    check_room()


def check_room() -> None:
    """Pass, as far as one more explanation can be accepted now.

    Raises:
        QueueFullError: so many wait already that another one is not accepted.
        ServiceUnavailableError: the store did not answer.
    """
    store, most = stores.prompt_job_store(), settings().explain_max_open
    waiting = store.overdue(lanes.EXPLAIN, before=float("inf"), limit=most)
    if len(waiting) >= most:
        detail = f"{most} explanations wait already; ask again later"
        raise QueueFullError(detail, retry_after_seconds=RETRY_AFTER_SECONDS)


def _job_of(picture: Job, explanation_id: str, label: str) -> Job:
    now, asked_by = time(), correlation.current()
    return Job(
        task_id=explanation_id,
        model=picture.model,
        version=picture.version,
        top_k=1,
        filename=picture.filename,
        accepted_at=now,
        queued_since=now,
        kind=EXPLANATION,
        lane=publisher.lane(TASK),
        explains=picture.task_id,
        label=label,
        request_id=asked_by.request_id,
        trace=asked_by.trace,
    )


def view(task_id: str, label: str = "", *, wait_seconds: float = 0.0) -> Answer:
    """Return what is known of an explanation, at once or as soon as it is over within the wait.

    Raises:
        UnknownJobError: there is no such picture.
        NotAskedError: nobody asked for it, or nobody can know that any more.
        ExpiredJobError: its time to live is over, or the picture's client deleted the result.
    """
    explanation_id = records.id_of(task_id, label)
    if stores.prompt_job_store().get(explanation_id) is None:
        _picture(task_id)
        raise NotAskedError(
            f"nobody asked for this explanation; POST to {documents.explanation_url(task_id)}"
        )
    return views.view(explanation_id, wait_seconds=wait_seconds)


def artifact(task_id: str, label: str, kind: str) -> bytes:
    """Return the map of an explanation as bytes of a `png` or an `npy`.

    Raises:
        UnknownJobError, NotAskedError, ExpiredJobError: as `view` does.
        UnexplainableError: it is not over, or failed.
        UploadMissingError: the map is deleted.
    """
    answer = view(task_id, label)
    if answer.state != SUCCESS:
        raise UnexplainableError(f"the explanation is {answer.state}: there is no map")
    return stores.image_store().get(records.key_of(task_id, answer.task_id, kind))
