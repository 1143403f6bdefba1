"""What an operator sees of the jobs, and does to them: waiting, started, in quarantine."""

from dataclasses import dataclass
from typing import Literal

from tasks import stores, submission, working
from tasks.answer_cache import ALWAYS_ANEW
from tasks.errors import ExpiredJobError, UnknownJobError
from tasks.job_stores import FAILURE, OVER, STARTED, Job
from tasks.job_stores.quarantine import Quarantined
from tasks.keys.ownership import Identity
from tasks.reconciler import LANES
from tasks.submission import Asked

Place = Literal["waiting", "started", "quarantined", "over"]
MOST_LISTED = 1000


@dataclass(frozen=True)
class Listed:
    """One job in an operator's list.

    Attributes:
        place: Where it is.
        since: Seconds since the epoch at which it was accepted; of a quarantined one, failed.
        attempts: Starts that nobody has explained.
        postponed: How often it was put off for what was not its fault.
        resent: How often its message was sent again.
        cause: Why it failed, if it did.
        can_retry: Whether its picture can be had once more: it is kept, or has an address.
    """

    task_id: str
    place: Place
    state: str
    model: str
    filename: str
    since: float
    attempts: int
    postponed: int
    resent: int
    owner: str
    cause: str = ""
    can_retry: bool = False


@dataclass(frozen=True)
class Overview:
    """All jobs that are not over, and those in quarantine; at most `MOST_LISTED` of each."""

    waiting: tuple[Listed, ...]
    started: tuple[Listed, ...]
    quarantined: tuple[Listed, ...]


def overview() -> Overview:
    """Return what waits, what was started and what is in quarantine, the oldest first.

    Raises:
        ServiceUnavailableError: the job store cannot be reached.
    """
    store = stores.prompt_job_store()
    until = store.now() + working.LONGEST_PAUSE_SECONDS
    waiting = [i for lane in LANES for i in store.overdue(lane, before=until, limit=MOST_LISTED)]
    kept = stores.quarantine().all()[:MOST_LISTED]
    return Overview(
        _listed(waiting, "waiting"),
        _listed(list(store.held())[:MOST_LISTED], "started"),
        tuple(map(quarantined, kept)),
    )


def find(task_id: str) -> Listed:
    """Return one job, wherever it is.

    Raises:
        UnknownJobError: there is no such task, or none any more.
    """
    for each in stores.quarantine().all():
        if each.job.task_id == task_id:
            return quarantined(each)
    job = stores.prompt_job_store().get(task_id)
    if job is None:
        raise UnknownJobError(f"there is no task {task_id!r}")
    if job.state in OVER:
        return listed(job, "over", since=job.accepted_at)
    place: Place = "started" if job.state == STARTED else "waiting"
    return listed(job, place, since=job.accepted_at)


def retry(task_id: str, *, owner: str = "") -> str:
    """Classify the picture of a job that failed once more, as a new job; return its task id.

    A terminal state never changes: the failed job stays failed. Who was told of its end is told of
    that of the new one. The new job belongs to `owner`, the operator's key.

    Raises:
        UnknownJobError: there is no such job, or it has not failed.
        ExpiredJobError: its picture is deleted; its client has to send it again.
        ServiceUnavailableError: a part did not answer; the job stays in quarantine.
    """
    if not stores.quarantine().has(task_id):
        return _fetch_again(task_id, owner)
    kept = _quarantined(task_id)
    if kept.image_url and kept.stage == "download":
        again = submission.submit_url(kept.image_url, asked=_asked(kept), identity=Identity(owner))
    else:
        upload = stores.image_store().get(task_id)
        again = submission.submit_upload(
            upload, filename=kept.filename, asked=_asked(kept), identity=Identity(owner)
        )
    purge(task_id)
    return again.task_id


def _fetch_again(task_id: str, owner: str) -> str:
    job = stores.prompt_job_store().get(task_id)
    if job is None or job.state != FAILURE:
        raise UnknownJobError(f"there is no task {task_id!r} that failed")
    if not _has_address(job):
        raise ExpiredJobError(
            f"the picture of {task_id} was deleted when it failed; its client has to send it again"
        )
    return submission.submit_url(job.image_url, asked=_asked(job), identity=Identity(owner)).task_id


def _asked(job: Job) -> Asked:
    """Return what was wanted of a failed job; its picture is to be predicted, not looked up."""
    return Asked(
        job.model,
        job.top_k,
        job.version,
        priority=job.priority,
        webhook_url=job.webhook_url,
        anew_percent=ALWAYS_ANEW,
        min_probability=job.min_probability,
        unknown=job.unknown,
        neighbours=job.neighbours,
    )


def _has_address(job: Job) -> bool:
    return job.state == FAILURE and bool(job.image_url)


def purge(task_id: str) -> None:
    """Forget a quarantined job and delete its picture.

    Raises:
        UnknownJobError: it is not in quarantine.
    """
    _quarantined(task_id)
    stores.image_store().delete(task_id)
    stores.quarantine().release(task_id)


def _quarantined(task_id: str) -> Job:
    for each in stores.quarantine().all():
        if each.job.task_id == task_id:
            return each.job
    raise UnknownJobError(f"there is no task {task_id!r} in quarantine")


def _listed(task_ids: list[str], place: Place) -> tuple[Listed, ...]:
    store = stores.prompt_job_store()
    found = (store.get(task_id) for task_id in task_ids)
    return tuple(listed(job, place, since=job.accepted_at) for job in found if job is not None)


def quarantined(kept: Quarantined) -> Listed:
    """Return a job in quarantine as an operator sees it."""
    return listed(kept.job, "quarantined", since=kept.since, cause=kept.cause)


def listed(job: Job, place: Place, *, since: float, cause: str = "") -> Listed:
    """Return a job as an operator sees it."""
    return Listed(
        task_id=job.task_id,
        place=place,
        state=job.state,
        model=job.model,
        filename=job.filename,
        since=since,
        attempts=job.attempts,
        postponed=job.postponed,
        resent=job.resent,
        owner=job.owner,
        cause=cause,
        can_retry=place == "quarantined" or _has_address(job),
    )
