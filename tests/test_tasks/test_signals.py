"""What Celery's signals do to job records, called as Celery calls them."""

import json
import logging
from time import time
from types import SimpleNamespace
from uuid import uuid4

import pytest

from tasks import jobs, signals, stores
from tasks.celery import app
from tasks.errors import DownloadTimeoutError, UploadMissingError
from tasks.job_stores import Job


@pytest.fixture
def task_id() -> str:
    """The id of a job that a worker has started."""
    now = time()
    job = Job(str(uuid4()), "colours", 5, "photo.jpg", accepted_at=now, queued_since=now)
    stores.job_store().create(job)
    stores.job_store().claim(job.task_id, stage="classify")
    return job.task_id


def test_a_failure_is_the_jobs(task_id: str) -> None:
    """Also one that Celery's main process reports, after the child is gone."""
    app.loader.import_default_modules()
    exception = UploadMissingError("the picture's bytes are gone")
    signals._fail_job(sender=app.tasks["classify"], args=(task_id,), exception=exception)
    document = json.loads(jobs.view(task_id).document)

    assert (document["state"], document["error"]["type"]) == (
        *("FAILURE", "/problems#upload-missing"),
    )


def test_a_failed_download_is_the_result_of_the_clients_id(task_id: str) -> None:
    """`AsyncResult` of that id would wait for ever: its task will never run."""
    app.loader.import_default_modules()
    exception = DownloadTimeoutError("too slow")
    signals._fail_job(sender=app.tasks["download"], args=(task_id,), exception=exception)

    assert app.AsyncResult(task_id).state == "FAILURE"
    assert isinstance(app.AsyncResult(task_id).result, DownloadTimeoutError)


def test_a_retry_shows_and_a_revocation_ends(task_id: str) -> None:
    """In the order in which they come."""
    request = SimpleNamespace(args=(task_id,))
    signals._show_retry(request=request)
    between = jobs.view(task_id).state
    signals._end_revoked(request=request)

    assert (between, jobs.view(task_id).state) == ("RETRY", "REVOKED")


def test_a_message_without_arguments_ends_nothing() -> None:
    """Somebody else's message is no reason for an error in the worker's main process."""
    signals._end_revoked(request=SimpleNamespace(args=()))

    assert stores.job_store().counts() == {}


def test_a_child_says_why_it_is_not_warm_and_logs_it_once(
    caplog: pytest.LogCaptureFixture, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tries every few seconds; the log need not repeat what `/readyz` shows."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    with caplog.at_level(logging.ERROR, "tasks.signals"):
        first = signals._why_default_is_not_warm(logged="")
        again = signals._why_default_is_not_warm(logged=first)

    assert first == again
    assert "no model 'colours'" in first
    assert len(caplog.records) == 1


def test_a_child_with_its_model_is_warm(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong, and the image store was written to."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)

    assert signals._why_default_is_not_warm(logged="") == ""
