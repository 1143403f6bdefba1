"""The task `classify`: one claimed upload in, its ranked labels out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from time import perf_counter, time
from typing import Any

from celery.exceptions import Ignore

from tasks import jobs, loaded_models, results, stores
from tasks.celery import app
from tasks.errors import StoreUnavailableError
from tasks.job_stores import SUCCESS, Job
from tasks.settings import settings


@app.task(
    name="classify",
    autoretry_for=(StoreUnavailableError,),
    retry_backoff=True,
    ignore_result=results.are_written_with_the_record(),
    store_errors_even_if_ignored=True,
)
def classify(task_id: str) -> dict[str, Any]:
    """Return the finished document of one job, as `GET /result/<task_id>` gives it."""
    job = jobs.claim(task_id, stage="classify")
    if job is None:
        raise Ignore
    with _upload_of(job) as upload:
        return jobs.finish(job, _classified(job, upload))


@contextmanager
def _upload_of(job: Job) -> Iterator[bytes]:
    """Give the job's bytes, and delete them once they will not be wanted again."""
    images = stores.image_store()
    try:
        yield images.get(job.upload_key)
    except StoreUnavailableError:
        raise  # The task is tried again and needs them.
    except Exception:
        images.delete(job.upload_key)
        raise
    images.delete(job.upload_key)


def _classified(job: Job, upload: bytes) -> dict[str, Any]:
    model = loaded_models.get(job.model)
    started = perf_counter()
    image = model.prepare(upload, max_pixels=settings().max_pixels)
    decoded = perf_counter()
    probabilities = model.predict(image[None])[0]
    predictions = model.rank(probabilities, k=job.top_k)
    predicted = perf_counter()
    return {
        "task_id": job.task_id,
        "state": SUCCESS,
        "model": model.card.name,
        "model_version": model.card.version,
        "runtime": model.runtime,
        "filename": job.filename,
        "predictions": [asdict(prediction) for prediction in predictions],
        "timings_ms": {
            "queued": round(job.queued_ms, 2),
            "download": round(job.download_ms, 2),
            "decode": round((decoded - started) * 1000, 2),
            "predict": round((predicted - decoded) * 1000, 2),
            "total": round(max(0.0, time() - job.accepted_at) * 1000, 2),
        },
    }
