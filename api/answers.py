"""From a job's state to an HTTP answer: 202 while it runs, the document after."""

from typing import cast

from flask import Response

from api import bodies
from api.errors import RETRY_AFTER_SECONDS, RETRY_LATER
from tasks.documents import AcceptedTask, FailedTask, OpenState
from tasks.jobs import Answer

POLL_AFTER_SECONDS = 1


def of(answer: Answer) -> Response:
    """Return 200 and the finished document, or 202 and where to ask again.

    A failed job is 200 as well: the resource is there, and says what became of it.
    """
    if answer.document is None:
        return accepted(answer)
    return bodies.of_text(answer.document)


def of_submission(answer: Answer) -> Response:
    """Return what `of` does, but the status of its problem for a job that failed.

    Whoever sends a picture and waits then learns of the failure from the status, as of any other.
    """
    response = of(answer)
    if answer.document is not None:
        response.headers["Content-Location"] = result_url(answer.task_id)
    if isinstance(finished := answer.finished, FailedTask):
        response.status_code = finished.error.status
        if response.status_code in RETRY_LATER:
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def accepted(answer: Answer) -> Response:
    """Return 202 with the state, the result's address and, for a training, how far it is."""
    url = result_url(answer.task_id)
    state = cast("OpenState", answer.state)  # it has no document
    task = AcceptedTask(answer.task_id, state, url, answer.progress)
    response = bodies.of(task, status=202)
    response.headers["Location"] = url
    response.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    return response


def result_url(task_id: str) -> str:
    """Return the address of a task's result."""
    return f"/result/{task_id}"
