"""How explanations end, and when what is kept for them is deleted.

Apart from `life`, which knows what clients are told: whoever ends jobs calls what is here.
"""

import logging

from tasks import documents, stores
from tasks.documents import FailedTask, ProblemDocument
from tasks.errors import ServiceUnavailableError
from tasks.explaining import records
from tasks.job_stores import FAILURE, OVER, REVOKED, Job, Outcome
from tasks.settings import settings

KINDS = ("png", "npy")
MOST_AT_ONCE = 100

logger = logging.getLogger(__name__)


def fail(job: Job, problem: ProblemDocument, fence: int | None) -> bool:
    """End an explanation that failed; tells whether this call did.

    Called wherever a job is failed, also in a main process.
    """
    document = FailedTask(job.task_id, FAILURE, job.model, job.filename, problem)
    seconds = settings().explanation_ttl_seconds
    outcome = Outcome(FAILURE, documents.to_json(document), {}, None, seconds)
    return stores.job_store().finish(job.task_id, outcome, fence=fence)


def forget(task_id: str) -> None:
    """Delete a kept picture and all that was made of it.

    Raises:
        ServiceUnavailableError: a store did not answer; what is left is swept.
    """
    store, keeping = stores.prompt_job_store(), stores.keeping()
    ids = keeping.asked(task_id)
    for each in ids:
        job = store.get(each)
        if job is not None:
            store.revoke(each, _revoked(job), started=True)
            store.forget(each)
    keys = [records.key_of(task_id, each, kind) for each in ids for kind in KINDS]
    stores.image_store().delete_all([task_id, *keys])
    keeping.drop(task_id)


def _revoked(job: Job) -> Outcome:
    document = documents.RevokedTask(job.task_id, REVOKED, job.model, job.filename)
    seconds = settings().explanation_ttl_seconds
    return Outcome(REVOKED, documents.to_json(document), {}, None, seconds)


def drop_expired() -> None:
    """Delete the pictures whose time is over, but those of which an explanation is not made yet.

    Raises:
        ServiceUnavailableError: the job store did not answer.
    """
    for task_id in stores.keeping().over(limit=MOST_AT_ONCE):
        if not _is_open(task_id):
            stores.drop_upload(task_id)
            stores.keeping().drop(task_id)


def is_kept(task_id: str) -> bool:
    """Tell whether a picture may still be asked for by an explanation."""
    return stores.keeping().has(task_id) or _is_explained(task_id)


def _is_open(task_id: str) -> bool:
    job = stores.prompt_job_store().get(task_id)
    return (job is not None and job.state not in OVER) or _is_explained(task_id)


def _is_explained(task_id: str) -> bool:
    jobs = map(stores.prompt_job_store().get, stores.keeping().asked(task_id))
    return any(job is not None and job.state not in OVER for job in jobs)


def is_wanted(key: str) -> bool:
    """Tell whether a map in the image store may still be asked for."""
    explanation_id = key.rpartition("/")[2].partition(".")[0]
    store = stores.job_store()
    job = store.get(explanation_id)
    if job is None:
        return False
    return job.state not in OVER or store.document(explanation_id) is not None


def tidy(task_id: str) -> None:
    """Delete what was kept of a picture that was cancelled; one that nobody keeps costs a look."""
    try:
        stores.keeping().drop(task_id)
    except ServiceUnavailableError as exc:
        logger.warning("kept picture not noted", extra={"task_id": task_id, "reason": str(exc)})
