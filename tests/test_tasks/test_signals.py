"""What Celery's signals do to job records, called as Celery calls them."""

import json
import logging
from time import time
from types import SimpleNamespace
from uuid import uuid4

import pytest
from celery.exceptions import TimeLimitExceeded, WorkerLostError

from tasks import holding, signals, stores, views
from tasks.celery import app
from tasks.errors import DownloadTimeoutError, UnknownJobError, UploadMissingError
from tasks.job_stores import Job
from tests.conftest import picture


@pytest.fixture
def task_id() -> str:
    """The id of a job that a worker has started."""
    now = time()
    job = Job(str(uuid4()), "colours", 5, "photo.jpg", accepted_at=now, queued_since=now)
    stores.job_store().create(job)
    stores.job_store().claim(job.task_id, stage="classify")
    return job.task_id


def failed(name: str, task_id: str, exception: Exception, *, celery_id: str = "") -> None:
    """Tell of a failure as Celery does."""
    app.loader.import_default_modules()
    told = {"task_id": celery_id or task_id, "args": (task_id,), "exception": exception}
    signals._fail_job(sender=app.tasks[name], **told)


def test_a_failure_is_the_jobs(task_id: str) -> None:
    """With the problem that the error stands for."""
    exception = UploadMissingError("the picture's bytes are gone")
    failed("classify", task_id, exception)
    document = json.loads(views.view(task_id).document)

    assert (document["state"], document["error"]["type"]) == (
        *("FAILURE", "/problems#upload-missing"),
    )


def test_a_failed_download_is_the_result_of_the_clients_id(task_id: str) -> None:
    """`AsyncResult` of that id would wait for ever: its task will never run."""
    exception = DownloadTimeoutError("too slow")
    failed("download", task_id, exception)

    assert app.AsyncResult(task_id).state == "FAILURE"
    assert isinstance(app.AsyncResult(task_id).result, DownloadTimeoutError)


LOSSES = [WorkerLostError("signal 9"), TimeLimitExceeded(60)]


@pytest.mark.parametrize("exception", LOSSES, ids=["lost", "too long"])
def test_a_lost_child_is_another_try(
    task_id: str, exception: Exception, colour_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture is classified after all, here at once, as in eager mode."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    stores.image_store().put(task_id, picture("green"))
    failed("classify", task_id, exception)

    assert views.view(task_id).finished.predictions[0].label == "green"
    assert stores.job_store().get(task_id).resent == 1


@pytest.mark.parametrize("exception", LOSSES, ids=["lost", "too long"])
def test_the_third_lost_child_is_the_last(task_id: str, exception: Exception) -> None:
    """A picture that takes every worker with it is not sent round for ever."""
    for _ in range(2):
        stores.job_store().claim(task_id, stage="classify")
    failed("classify", task_id, exception)

    assert views.view(task_id).finished.error.type in {
        "/problems#worker-lost",
        "/problems#time-limit",
    }


def test_a_failure_of_an_earlier_claim_counts_no_more(task_id: str) -> None:
    """A process that wakes up late cannot fail what another one works on."""
    zombie = stores.job_store().get(task_id)
    holding.hold(zombie)
    stores.job_store().claim(task_id, stage="classify")
    failed("classify", task_id, UploadMissingError("gone"))
    holding.release(task_id)

    assert views.view(task_id).state == "STARTED"


def test_a_task_of_an_unknown_job_fails_for_its_caller() -> None:
    """A program that sent it itself waits for its result, which would never come."""
    app.loader.import_default_modules()
    outcome = app.tasks["classify"].apply(args=("no-such-id",), task_id="run-here")
    failed("classify", "no-such-id", UnknownJobError("no task"), celery_id="sent-by-hand")

    assert isinstance(outcome.result, UnknownJobError)
    assert app.AsyncResult("sent-by-hand").state == "FAILURE"


def test_a_revocation_ends(task_id: str) -> None:
    """From Flower or the command line."""
    signals._end_revoked(
        SimpleNamespace(name="classify"), SimpleNamespace(id=task_id, args=(task_id,))
    )

    assert views.view(task_id).state == "REVOKED"


def test_a_message_without_arguments_ends_nothing() -> None:
    """Somebody else's message is no reason for an error in the worker's main process."""
    signals._end_revoked(SimpleNamespace(name="classify"), SimpleNamespace(id="a", args=()))

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
