"""What becomes of a message whose end cannot be written, as Celery's pool calls it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from billiard.einfo import ExceptionInfo
from celery.exceptions import Reject, WorkerLostError
from kombu import Message

from tasks import holding, stores
from tasks.celery import app
from tasks.delivery import Delivery
from tasks.job_stores import Job


def delivered(ended: list[str], *arguments: str) -> Delivery:
    """Return the request that Celery makes of a message; how that ends is noted in `ended`."""
    app.loader.import_default_modules()
    message = Message(
        body=json.dumps([arguments, {}, {}]),
        content_type="application/json",
        content_encoding="utf-8",
        headers={"id": "one", "task": "classify"},
    )
    return Delivery(
        message,
        app=app,
        task=app.tasks["classify"],
        on_ack=lambda *_: ended.append("acknowledged"),
        on_reject=lambda *a: ended.append("put back" if a[2] else "dropped"),
    )


def raised(exception: Exception) -> ExceptionInfo:
    """Return what a child reports of an exception."""
    try:
        raise exception
    except Exception:  # noqa: BLE001 - it is the point
        return ExceptionInfo()


@pytest.fixture
def full_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result backend that refuses, as a server at its memory limit does."""

    def refuse(*_: Any, **__: Any) -> None:
        raise redis.OutOfMemoryError("command not allowed")

    monkeypatch.setattr(app.backend, "mark_as_failure", refuse)
    monkeypatch.setattr(app.backend, "mark_as_revoked", refuse)


def test_a_retry_that_could_not_be_sent_is_another_delivery() -> None:
    """Celery would end the job as FAILURE for what the broker did."""
    ended: list[str] = []
    delivered(ended, "one").on_failure(raised(Reject(OSError("no broker"), requeue=False)))

    assert ended == ["put back"]


@pytest.mark.usefixtures("full_backend")
def test_an_end_that_could_not_be_written_is_another_delivery() -> None:
    """Also at the hard time limit; a callback that raises would keep the worker's credit."""
    ended: list[str] = []
    delivered(ended, "one").on_timeout(soft=False, timeout=1)
    delivered(ended, "one")._announce_revoked("revoked", False, None, False)

    assert ended == ["put back", "put back"]


def test_a_failure_that_was_written_is_acknowledged() -> None:
    """As ever."""
    ended: list[str] = []
    delivered(ended, "one").on_failure(raised(ValueError("no picture")), return_ok=True)

    assert ended == ["acknowledged"]


LOST = {
    "lost": lambda request: request.on_failure(raised(WorkerLostError("signal 9"))),
    "too long": lambda request: request.on_timeout(soft=False, timeout=60),
}


@pytest.mark.parametrize("tell", LOST.values(), ids=LOST)
@pytest.mark.parametrize(("child", "state"), [(1, "RETRY"), (2, "STARTED")])
def test_a_child_that_is_lost_late_takes_its_job_from_nobody(
    tell: Callable[[Delivery], None], child: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker stood still, and its job was given to another one before it saw its child's end."""
    monkeypatch.setitem(app.conf, "task_always_eager", False)
    job = Job("one", "colours", 1, "a.jpg", accepted_at=1.0, queued_since=1.0, lane="classify")
    stores.job_store().create(job)
    stores.job_store().claim("one", stage="classify", owner=holding.member("classify", 1))
    ended: list[str] = []
    request = delivered(ended, "one")
    request.worker_pid = child
    tell(request)

    assert (stores.job_store().get("one").state, ended) == (state, ["acknowledged"])


def test_a_task_without_arguments_fails_as_others_do(caplog: pytest.LogCaptureFixture) -> None:
    """It has no job, so nothing is looked up for it, and Flower is told."""
    ended: list[str] = []
    delivered(ended).on_failure(raised(TypeError("missing 1 required positional argument")))

    assert ended == ["acknowledged"]
    assert "end of a task not written" not in caplog.text
