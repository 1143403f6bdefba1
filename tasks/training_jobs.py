"""The life of a training as a job: submit, claim, note, finish. It fails and is revoked like any.

What a training is is known elsewhere; here it is a task id, its settings and what came of it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from time import time
from typing import Any
from uuid import uuid4

from tasks import documents, job_ends, job_kinds, jobs, publisher, stores, submission
from tasks.documents import Progress, TrainedTask
from tasks.job_stores import SUCCESS, TRAINING, Job, Outcome


def submit(flags: Mapping[str, Any], *, model: str, pictures: str) -> str:
    """Record a training, queue it, and return its task id.

    Args:
        flags: What the task is called with, plain JSON values.
        model: Name of the model that it makes.
        pictures: Name of the folder or file with its pictures.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
    """
    job = _new_job(str(uuid4()), model=model, pictures=pictures)
    submission.record(job, publish=lambda: publisher.publish_training(job.task_id, flags))
    return job.task_id


def claim(task_id: str, *, model: str, pictures: str, retries: int) -> bool:
    """Start a training; False when it is over, as when it was revoked while it waited.

    One that was sent to the queue without `submit` gets its record now.

    Raises:
        PoisonedJobError: it was started `max_attempts` times and lost its worker each time.
    """
    store = stores.job_store()
    if store.get(task_id) is None:
        store.create(_new_job(task_id, model=model, pictures=pictures))
    return jobs.claim(task_id, stage=TRAINING, explained=retries) is not None


def note(task_id: str, progress: Progress) -> None:
    """Keep how far a training is, for those who ask."""
    stores.job_store().note_progress(task_id, json.dumps(asdict(progress)))


def finish(document: TrainedTask) -> None:
    """End a training as SUCCESS with what it made; an earlier end wins."""
    lives_seconds = job_kinds.named(TRAINING).lives_seconds
    outcome = Outcome(SUCCESS, documents.to_json(document), {}, lives_seconds=lives_seconds)
    store = stores.job_store()
    if store.finish(document.task_id, outcome) and (job := store.get(document.task_id)):
        job_ends.say(job, SUCCESS, model=f"{document.model}@{document.model_version}")


def _new_job(task_id: str, *, model: str, pictures: str) -> Job:
    now = time()
    return Job(
        task_id=task_id,
        model=model,
        top_k=0,
        filename=pictures,
        accepted_at=now,
        queued_since=now,
        kind=TRAINING,
    )
