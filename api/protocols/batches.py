"""Several pictures of one request: all or none of them are accepted, and all are waited for."""

from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from flask import Response, g

from api import access, caching, limits, links, waiting
from api.errors import ApiError, RevokedMeanwhileError, TooManyWaitersError, WaitOverError
from api.settings import settings
from api.uploads import Upload
from tasks import cancellation, documents, problems, submission, views
from tasks.documents import ClassifiedTask, FailedTask, ProblemDocument
from tasks.errors import TasksError
from tasks.keys.ownership import Identity
from tasks.submission import Asked
from tasks.views import Answer

TASK_IDS = "X-Task-Ids"
"""The header that names the tasks of a request's pictures, in their order."""


class FailedPictureError(ApiError):
    """A picture failed; the answer has the status and the kind of its problem."""

    def __init__(self, problem: ProblemDocument, detail: str) -> None:
        """Say which picture it was, and why."""
        super().__init__(detail)
        self.status, self.title = problem.status, problem.title
        self.slug = problem.type.removeprefix(problems.TYPE_PREFIX)


def classified(pictures: Sequence[Upload], asked: Asked) -> tuple[ClassifiedTask, ...]:
    """Return the answer for each picture, in their order.

    Raises:
        TooManyWaitersError: no place to wait is free; no job was made.
        WaitOverError: some are not over in time; their results can still be fetched.
        FailedPictureError: one failed; the results of the others can be fetched.
        RevokedMeanwhileError: somebody else revoked one meanwhile.
        TasksError: one cannot be accepted; none is.
    """
    wanted = settings().compatible_wait_seconds
    with waiting.place(wanted) as seconds:
        if wanted and not seconds:
            raise TooManyWaitersError("all places to wait are taken; use POST /classify and poll")
        answers = _answers(pictures, asked, seconds)
    ends = [answer.finished for answer in answers]
    if None in ends:
        raise _wait_over(ends.count(None), len(ends))
    return tuple(_classified(end, n, len(ends)) for n, end in enumerate(ends, 1))


def say(response: Response) -> Response:
    """Name the tasks of the current request, so that no result is lost with its answer."""
    if task_ids := g.get("task_ids"):
        response.headers[TASK_IDS] = ",".join(task_ids)
    if known := g.get("answer_of_one"):
        caching.say(response, known)
    return response


def _answers(pictures: Sequence[Upload], asked: Asked, seconds: float) -> tuple[Answer, ...]:
    first, owner = access.identity(), access.owner()
    identities = [first, *(Identity(owner, each) for each in limits.further(len(pictures) - 1))]
    if len(pictures) == 1:
        g.answer_of_one = _submit(pictures[0], asked, first, seconds)
        g.task_ids = [g.answer_of_one.task_id]
        return (g.answer_of_one,)
    until = monotonic() + seconds
    g.task_ids = _accepted(pictures, asked, identities)
    return tuple(
        views.view(task_id, wait_seconds=max(0.0, until - monotonic())) for task_id in g.task_ids
    )


def _accepted(
    pictures: Sequence[Upload], asked: Asked, identities: Sequence[Identity]
) -> list[str]:
    """Accept all pictures, or cancel those that were: the client sends them again."""
    accepted: list[str] = []
    try:
        for picture, identity in zip(pictures, identities, strict=True):
            accepted.append(_submit(picture, asked, identity, 0.0).task_id)
    except TasksError:
        for task_id in accepted:
            with suppress(TasksError):  # Its answer is then one that nobody asks for.
                cancellation.cancel(task_id)
        raise
    return accepted


def _submit(picture: Upload, asked: Asked, identity: Identity, seconds: float) -> Answer:
    return submission.submit_upload(
        picture.image,
        filename=picture.filename,
        asked=asked,
        wait_seconds=seconds,
        identity=identity,
    )


def _classified(end: object, number: int, total: int) -> ClassifiedTask:
    which = f"picture {number} of {total}: " if total > 1 else ""
    match end:
        case ClassifiedTask():
            return end
        case FailedTask(error=problem):
            raise FailedPictureError(problem, which + problem.detail)
    raise RevokedMeanwhileError(f"{which}the task was revoked while it waited")


def _wait_over(unfinished: int, total: int) -> ApiError:
    urls, limit = _result_urls(), settings().compatible_wait_seconds
    message = f"{unfinished} of {total} pictures are not finished within {limit:g} seconds"
    return WaitOverError(
        f"{message}; they go on: ask {', '.join(urls)}", task_ids=g.task_ids, result_urls=urls
    )


def _result_urls() -> list[str]:
    return [links.to(documents.result_url(task_id)) for task_id in g.task_ids]
