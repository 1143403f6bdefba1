"""Celery's own result of a job, written in the same atomic step as the job record's end.

`AsyncResult(task_id).get()` then never disagrees with `GET /result/<task_id>`, and a finished
picture costs one round trip to Redis instead of three. Where the result backend is another
server than the job store, Celery writes its result itself.
"""

import json
from datetime import UTC, datetime

from celery.exceptions import TaskRevokedError

from tasks import addresses
from tasks.celery import app
from tasks.errors import ServiceUnavailableError
from tasks.job_stores import FAILURE, REVOKED, SUCCESS, CeleryResult
from tasks.once import once
from tasks.settings import settings

KEY_PREFIX = "celery-task-meta-"
PLACE = "\0"
"""Stands for a document that somebody else puts in; JSON has no such letter."""


@once
def are_written_with_the_record() -> bool:
    """Tell whether Celery's results and the job records live in the same Redis."""
    return addresses.are_one(str(app.conf.result_backend), settings().job_store_url)


def of_success(task_id: str, document: str) -> CeleryResult | None:
    """Return the result to write beside the record, or None when Celery writes it itself."""
    return _result(task_id, SUCCESS, document)


def around_document(task_id: str) -> tuple[str, str, str]:
    """Return the key of a successful result, and what it has before and after the document.

    All are empty where Celery's results are elsewhere.
    """
    result = _result(task_id, SUCCESS, PLACE)
    if result is None:
        return "", "", ""
    before, _, after = result.value.partition(PLACE)
    return result.key, before, after


def of_failure(task_id: str, exc: BaseException) -> CeleryResult | None:
    """Return what makes `AsyncResult.get()` raise the exception, or None as above."""
    if not are_written_with_the_record():
        return None
    prepared = app.backend.prepare_exception(exc, "json")  # type: ignore[arg-type] # as Celery does
    return _result(task_id, FAILURE, json.dumps(prepared))


def of_revocation(task_id: str, *, reason: str | None = None) -> CeleryResult | None:
    """Return what makes `AsyncResult.get()` raise TaskRevokedError, or None as above."""
    revocation = {
        "exc_type": "TaskRevokedError",
        "exc_message": [reason or "revoked"],
        "exc_module": "celery.exceptions",
    }
    return _result(task_id, REVOKED, json.dumps(revocation))


def key_of(task_id: str) -> str:
    """Return the result's key in the job store, or nothing where Celery keeps it elsewhere."""
    return f"{KEY_PREFIX}{task_id}" if are_written_with_the_record() else ""


def forget(task_id: str) -> None:
    """Delete a result that Celery keeps elsewhere; one that cannot be deleted expires.

    Raises:
        ServiceUnavailableError: the backend did not do it.
    """
    try:
        app.backend.forget(task_id)
    except Exception as exc:
        # Each kind of backend has errors of its own.
        message = f"Celery's result was not deleted ({type(exc).__name__})"
        raise ServiceUnavailableError(message) from exc


def say_revoked(task_id: str) -> None:
    """Tell Celery, where it keeps its results elsewhere, that a job was revoked."""
    if not are_written_with_the_record():
        app.backend.store_result(task_id, TaskRevokedError("revoked"), REVOKED)


def _result(task_id: str, state: str, encoded: str) -> CeleryResult | None:
    """Return a result as Celery's Redis backend stores it.

    Source: `_get_result_meta` and `prepare_exception` in celery.backends.base 5.7.
    """
    if not are_written_with_the_record():
        return None
    now = datetime.now(UTC).isoformat()
    value = (
        f'{{"status": "{state}", "result": {encoded}, "traceback": null, "children": [],'
        f' "date_done": "{now}", "task_id": "{task_id}"}}'
    )
    return CeleryResult(f"{KEY_PREFIX}{task_id}", value)
