"""The task `classify`: one claimed upload in, its ranked labels out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from celery import Task
from celery.exceptions import Ignore, SoftTimeLimitExceeded

from model_store.errors import ImageError
from tasks import (
    callers,
    celery_results,
    collecting,
    envelopes,
    jobs,
    lanes,
    loaded_models,
    same_picture,
    stores,
    told,
    trials,
    working,
)
from tasks.along import Along
from tasks.celery import app
from tasks.documents import ClassifiedTask, Timings, explanation_url, members_of
from tasks.errors import CAN_HEAL, PictureTimeLimitError, UploadMissingError
from tasks.explaining.records import ASKED
from tasks.job_stores import SUCCESS, Job
from tasks.prepared import prepared
from tasks.told import ToldOfMany
from tasks.tracing import spans
from tasks.trials import CANARY, Trial

if TYPE_CHECKING:
    from model_store.serving import ServedModel

LOOK_AFTER_SECONDS = 0.05
"""A picture that took longer than this to decode may have been cancelled meanwhile; for others a
look before they are predicted would cost more than it saves. The end looks at every one."""

logger = logging.getLogger(__name__)


@app.task(
    name="classify",
    bind=True,
    ignore_result=celery_results.are_written_with_the_record(),
    store_errors_even_if_ignored=False,
    resultrepr_maxsize=told.MOST_CHARACTERS,
)
def classify(self: Task[..., Any], task_id: str) -> dict[str, Any] | ToldOfMany:
    """Return the finished document of one job, as `GET /result/<task_id>` gives it.

    In a pool's child it is what the main process is told: of this job, and of those that the child
    took along.
    """
    found: dict[str, Any] | ToldOfMany = callers.served(
        self, task_id, partial(classified, self, task_id)
    )
    return found


def classified(task: Task[..., Any], task_id: str) -> dict[str, Any] | ToldOfMany:
    """Do a job, for the task that has it; returns what that returns.

    Raises:
        Ignore: it is over, or in other hands; its record says so.
    """
    _check_place(task, task_id)
    with (
        Along(_work, request=task.request) as along,
        working.work_on(task_id, stage="classify", queue="classify") as job,
    ):
        if job is None:
            raise working.ignored(task_id)
        members = _work(job, along)
    if members["state"] != SUCCESS:
        raise working.ignored(task_id)
    return along.answer(members)


def _check_place(task: Task[..., Any], task_id: str) -> None:
    """Leave a picture that is yet to be downloaded to that, whatever another program sends."""
    if envelopes.is_own(task.request):
        return
    job = stores.job_store().get(task_id)
    if job is not None and lanes.queue_of(job.lane) == lanes.DOWNLOADS:
        raise Ignore


def _work(job: Job, along: Along) -> dict[str, Any]:
    """Do one claimed job, and start the next one with its end; return its document."""
    with _upload_of(job) as read_upload:
        trial = trials.of_this_process().of(job.model, job.task_id)
        job = same_picture.settled(job, trial)
        upload = b"" if job.answer else read_upload()
        document = same_picture.document_of(job) if job.answer else _answer(job, upload, trial)
        began = perf_counter()
        finished = jobs.finish(document, job=job, take=None if trial else along.take())
        spans.stage(job, "finish", began, perf_counter())
        along.follow(finished.following)
    if finished.members["state"] == SUCCESS and upload:
        if trial:
            trials.compare(trial, upload)
        collecting.offer(finished.members, upload)
    return finished.members


@contextmanager
def _upload_of(job: Job) -> Iterator[Callable[[], bytes]]:
    """Give what reads the job's bytes, and delete them once they will not be wanted again."""
    images = stores.image_store()
    try:
        yield partial(images.get, job.task_id)
    except UploadMissingError:
        if jobs.is_wanted(job.task_id):
            raise
        raise working.ignored(job.task_id) from None
    except (*CAN_HEAL, SoftTimeLimitExceeded):
        raise  # The task is tried again and needs them.
    except Exception:
        images.delete(job.task_id)
        raise
    if not job.explain:
        images.delete(job.task_id)


def _answer(job: Job, upload: bytes, trial: Trial | None) -> ClassifiedTask:
    """Return the document by the canary in its share, else by what is in production."""
    if trial is None or trial.rollout.kind != CANARY:
        return _classified_or_failed(job, upload, loaded_models.get(job.model))
    try:
        return _classified(job, upload, trial.candidate)
    except Ignore:
        raise
    except ImageError as exc:
        jobs.fail(job.task_id, exc, version=trial.candidate.card.ref, fence=job.fence)
        raise
    except Exception:
        # Whatever a candidate does wrong, its clients get production's answer.
        logger.exception("canary failed", extra={"model": trial.candidate.card.ref})
        trials.count_error(trial)
        return _classified_or_failed(job, upload, trial.production)


def _classified_or_failed(job: Job, upload: bytes, model: ServedModel) -> ClassifiedTask:
    """Return the document, or end the job here, where the version that was at work is known."""
    try:
        return _classified(job, upload, model)
    except (MemoryError, RecursionError, Ignore):
        raise  # `JobTask` says what the first two mean; the third is no failure.
    except Exception as exc:
        jobs.fail(job.task_id, exc, version=model.card.ref, fence=job.fence)
        raise


def _classified(job: Job, upload: bytes, model: ServedModel) -> ClassifiedTask:
    started = perf_counter()
    try:
        image = prepared(model, upload)
        decoded = perf_counter()
        if decoded - started > LOOK_AFTER_SECONDS and not jobs.is_wanted(job.task_id):
            raise working.ignored(job.task_id)
        (answer,) = model.answer(image.pixels[None], job.wanted)
    except SoftTimeLimitExceeded as exc:
        raise PictureTimeLimitError("the picture took too long to decode and predict") from exc
    predicted = perf_counter()
    spans.stage(job, "decode", started, decoded, upload_bytes=len(upload))
    spans.stage(job, "predict", decoded, predicted, model=model.card.ref, runtime=model.runtime)
    return ClassifiedTask(
        task_id=job.task_id,
        state=SUCCESS,
        model=model.card.name,
        model_version=model.card.version,
        runtime=model.runtime,
        filename=job.filename,
        predictions=answer.predictions,
        timings_ms=Timings(
            queued=round(job.queued_ms, 2),
            download=round(job.download_ms, 2),
            decode=round((decoded - started) * 1000, 2),
            predict=round((predicted - decoded) * 1000, 2),
            total=round(max(0.0, time() - job.accepted_at) * 1000, 2),
        ),
        warnings=image.warnings or None,
        **members_of(answer.doubts, model.card.name, model.card.version),
        explanation_url=explanation_url(job.task_id) if job.explain == ASKED else None,
    )
