"""From a job's state to an HTTP answer: 202 while it runs, the document after."""

from datetime import UTC, datetime
from typing import cast

from flask import Response

from api import bodies, links
from api.errors import RETRY_AFTER_SECONDS, RETRY_LATER
from tasks import documents
from tasks.documents import AcceptedTask, FailedTask, OpenState
from tasks.job_stores import FAILURE
from tasks.views import Answer

POLL_AFTER_SECONDS = 1


def of(answer: Answer) -> Response:
    """Return 200 and the finished document, or 202 and where to ask again.

    A failed job is 200 as well: the resource is there, and says what became of it.
    """
    if answer.document is None:
        return accepted(answer)
    return bodies.of_text(links.in_finished(answer.document, links.prefix()))


def of_submission(answer: Answer) -> Response:
    """Return what `of` does, but the status of its problem for a job that failed.

    Whoever sends a picture and waits then learns of the failure from the status, as of any other.
    """
    response = of(answer)
    if answer.document is not None:
        response.headers["Content-Location"] = links.to(documents.result_url(answer.task_id))
    # Looked at first: to read a whole document costs more than to write this answer.
    if answer.state == FAILURE and isinstance(finished := answer.finished, FailedTask):
        response.status_code = finished.error.status
        if response.status_code in RETRY_LATER:
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def accepted(answer: Answer) -> Response:
    """Return 202 with the state, the result's address, and how far it is from being over."""
    task = task_of(answer, links.prefix())
    response = bodies.of(task, status=202)
    response.headers["Location"] = task.result_url
    response.headers["Retry-After"] = str(_poll_after_seconds(answer))
    return response


def _poll_after_seconds(answer: Answer) -> int:
    return POLL_AFTER_SECONDS if answer.age_seconds is None else 0


def task_of(answer: Answer, before: str) -> AcceptedTask:
    """Return what a client, to whom addresses begin with `before`, is told of an open job."""
    return AcceptedTask(
        answer.task_id,
        cast("OpenState", answer.state),  # it has no document
        before + documents.result_url(answer.task_id),
        progress=answer.progress,
        submitted_at=None if answer.submitted_at is None else moment(answer.submitted_at),
        ahead=answer.place.ahead if answer.place else None,
        estimate_seconds=answer.place.seconds if answer.place else None,
    )


def moment(seconds: float) -> str:
    """Return a time since the epoch as RFC 3339 has it, to the millisecond."""
    said = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return said.replace("+00:00", "Z")
