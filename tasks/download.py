"""The task `download`: fetches the picture of a URL job, then queues its classification.

It runs on an I/O pool of its own, so a slow server never holds an inference process.
"""

from time import perf_counter
from typing import Any

from celery.exceptions import Ignore

from tasks import fetch, jobs
from tasks.celery import app
from tasks.errors import DownloadUnreachableError, ServiceUnavailableError
from tasks.settings import settings


@app.task(
    name="download",
    bind=True,
    max_retries=settings().download_max_retries,
    ignore_result=True,
)
def download(self: Any, task_id: str) -> None:
    """Store the picture at the job's URL and hand the job to the classify queue.

    A pool of threads cannot enforce Celery's time limits; `fetch` has its own.
    """
    try:
        job = jobs.claim(task_id, stage="download", retries=self.request.retries)
        if job is None:
            raise Ignore
        started = perf_counter()
        upload = fetch.fetch(job.image_url)
        download_ms = (perf_counter() - started) * 1000
        jobs.requeue_downloaded(job, upload, download_ms=download_ms)
    except (DownloadUnreachableError, ServiceUnavailableError) as exc:
        raise self.retry(exc=exc, countdown=1 + self.request.retries) from exc
