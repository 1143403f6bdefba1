"""The task `download`: fetches the picture of a URL job, then queues its classification.

It runs on an I/O pool of its own, so a slow server never holds an inference process.
"""

from time import perf_counter

from celery.exceptions import Ignore

from tasks import celery_results, fetch, jobs, working
from tasks.celery import app
from tasks.errors import DownloadUnreachableError
from tasks.job_stores import Job
from tasks.settings import settings
from tasks.tracing import spans


@app.task(
    name="download",
    ignore_result=True,
    store_errors_even_if_ignored=not celery_results.are_written_with_the_record(),
)
def download(task_id: str) -> None:
    """Store the picture at the job's URL and hand the job to the classify queue.

    A pool of threads cannot enforce Celery's time limits; `fetch` has its own.
    """
    with working.work_on(task_id, stage="download", queue="downloads") as job:
        if job is None:
            raise working.ignored(task_id)
        started = perf_counter()
        upload = _fetched(job)
        fetched = perf_counter()
        spans.stage(job, "fetch", started, fetched, upload_bytes=len(upload))
        download_ms = (fetched - started) * 1000
        jobs.requeue_downloaded(job, upload, download_ms=download_ms)


def _fetched(job: Job) -> bytes:
    """Return the picture; a server that cannot be reached is asked again later, a few times."""
    try:
        return fetch.fetch(job.image_url)
    except DownloadUnreachableError as exc:
        if job.postponed >= settings().download_max_retries:
            raise
        working.put_off(job.task_id, job, exc)
        raise Ignore from exc
