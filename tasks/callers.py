"""Programs that send tasks themselves, and what each of their messages still has to bring them.

The end of a job is in its record and in Celery's result of its id, whoever ended it. A message of
another program may want more: its own id is another one, or something is linked to it, as in a
chord. Such a message comes back until the job is over, also where another one brought that about.
"""

import json
from collections.abc import Callable, Sequence
from sys import maxsize
from typing import Any

from celery.exceptions import Ignore, TimeLimitExceeded, WorkerLostError

from tasks import publisher, stores, views
from tasks.celery import app
from tasks.errors import JobError, ServiceUnavailableError
from tasks.job_stores import SUCCESS

LOST = (WorkerLostError, TimeLimitExceeded)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 15.0
_LONGEST_DOUBLING = 10


def job_of(task_name: str, celery_id: str, args: Sequence[Any] | None) -> str:
    """Return the job that a task is about: its own id, or its only argument."""
    if task_name == publisher.PICTURE:
        return celery_id
    return str(args[0]) if args else ""


def want_more(request: Any, task_id: str) -> bool:
    """Tell whether a message wants more than that the record of its job is ended."""
    links = (request.callbacks, request.errbacks, request.chain, request.chord)
    return request.id != task_id or any(links)


def come_back_after_loss(request: Any) -> bool:
    """Tell whether the message of a worker's request is to come back that lost its child.

    It does where it has a job and a program that waits for this very message. One whose child was
    lost before it had made the job comes back once: it might be what the child died of.
    """
    task_id = job_of(request.name, request.id, request.args)
    is_bare = request.name == "classify" and not want_more(request._context, task_id)
    if is_bare or request.name not in {"classify", publisher.PICTURE}:
        return False
    try:
        if stores.prompt_job_store().get(task_id) is not None:
            return True
        return request.name == publisher.PICTURE and not request.delivery_info.get("redelivered")
    except ServiceUnavailableError:
        return True


def served(task: Any, task_id: str, work: Callable[[], Any]) -> Any:
    """Return what `work` returns; where it leaves the job to others, the end that they gave it.

    Raises:
        Ignore: the record tells all who want to know.
        Retry: the job is not over yet.
        Exception: what the job failed with.
    """
    if not want_more(task.request, task_id):
        return work()
    try:
        members = work()
    except Ignore:
        members = end_of(task, task_id)
    if task.request.id != task_id:
        app.backend.store_result(task.request.id, members, SUCCESS)
    return members


def end_of(task: Any, task_id: str) -> dict[str, Any]:
    """Return the document of a job that is over; raises what `served` raises."""
    document = views.view(task_id).document
    if document is None:
        raise come_back(task)
    members: dict[str, Any] = json.loads(document)
    if members["state"] == SUCCESS:
        return members
    raise _error(task_id, members)


def _error(task_id: str, members: dict[str, Any]) -> BaseException:
    """Return what the job failed with, as Celery's result has it."""
    told = app.backend.get_task_meta(task_id)["result"]
    if isinstance(told, BaseException):
        return told
    error = members.get("error") or {"detail": f"the job is {members['state']}"}
    return JobError(error["detail"])


def come_back(task: Any, exc: Exception | None = None) -> Exception:
    """Send the message of a task once more, to be taken in a while; return what ends this start.

    In eager mode nobody could take it.
    """
    if publisher.runs_here():
        return exc or Ignore()
    seconds = FIRST_PAUSE_SECONDS * 2 ** min(task.request.retries, _LONGEST_DOUBLING)
    again: Exception = task.retry(
        exc=exc,
        countdown=min(seconds, LONGEST_PAUSE_SECONDS),
        max_retries=maxsize,
        throw=False,
    )
    return again


def tell_failure(celery_id: str, exc: BaseException, *, state: str = "FAILURE") -> None:
    """Let the program that sent a task hear of its end, where no record of its id does."""
    app.backend.store_result(celery_id, exc, state)
