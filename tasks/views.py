"""What a client is told of its job, at once or as soon as it is over."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tasks import documents, job_kinds, stores
from tasks.documents import FinishedTask, Progress
from tasks.errors import ExpiredJobError, UnknownJobError
from tasks.job_stores import BULK, OVER, STARTED, Job, JobStore, Place, Seen, Watch


@dataclass(frozen=True)
class Answer:
    """What a client is told about a job: its state, and the document once it is over, as JSON.

    A training that runs has `progress`, a picture that waits a `place`. `submitted_at` is in
    seconds since the epoch, where it was looked up. `age_seconds` is there for a new job that was
    over when it was accepted: how long its answer had been known.
    """

    task_id: str
    state: str
    document: str | None = None
    progress: Progress | None = None
    submitted_at: float | None = None
    place: Place | None = None
    age_seconds: float | None = None

    @property
    def finished(self) -> FinishedTask | None:
        """What the document says, or None while the job is not over."""
        return None if self.document is None else documents.finished(self.document)


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
        return watched(watch, task_id, wait_seconds)


def watched(watch: Watch, task_id: str, wait_seconds: float) -> Answer:
    """Return a job as soon as it is over, or as it is after the wait."""
    document = watch.wait(seconds=wait_seconds)
    if document is None:
        return _view(stores.prompt_job_store(), task_id)
    return ended(task_id, document)


def ended(task_id: str, document: str) -> Answer:
    """Return what is known of a job whose document was told."""
    return Answer(task_id, json.loads(document)["state"], document)


def look(task_ids: Sequence[str]) -> dict[str, Answer | UnknownJobError | ExpiredJobError]:
    """Return what is known of each of these jobs, or why nothing is.

    Raises:
        ServiceUnavailableError: the job store did not answer.
    """
    found: dict[str, Answer | UnknownJobError | ExpiredJobError] = {}
    seen = stores.prompt_job_store().views(task_ids)
    for task_id, each in zip(task_ids, seen, strict=True):
        try:
            found[task_id] = _answer(task_id, each)
        except (UnknownJobError, ExpiredJobError) as exc:
            found[task_id] = exc
    return found


def _view(store: JobStore, task_id: str) -> Answer:
    return _answer(task_id, store.view(task_id))


def _answer(task_id: str, seen: Seen) -> Answer:
    if seen.document is not None:
        return ended(task_id, seen.document)
    if seen.job is None or seen.job.kind == BULK:  # A bulk is asked for whole.
        raise UnknownJobError(f"there is no task {task_id!r}")
    if seen.job.state in OVER:
        raise gone(seen.job)
    return Answer(
        task_id,
        seen.job.state,
        progress=_progress(seen.job),
        submitted_at=seen.job.accepted_at,
        place=seen.place,
    )


def gone(job: Job) -> ExpiredJobError:
    """Return what is said of a job that is over and whose document is no longer there."""
    if not job.filename:
        return ExpiredJobError(f"the result of {job.task_id} was deleted")
    lives = job_kinds.of(job).lives_seconds
    return ExpiredJobError(f"the result of {job.task_id} was kept for {lives} seconds and is gone")


def _progress(job: Job) -> Progress | None:
    if job.state != STARTED or not job.progress:
        return None
    return Progress(**json.loads(job.progress))
