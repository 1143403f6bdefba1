"""What an answer means: a task, a problem, or something that no Petiole service says."""

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from petiole.client import answers, errors
from petiole.client.answers import Task
from petiole.client.errors import PetioleError, UnexpectedAnswerError, UnreachableError
from petiole.client.steps import Lost, Reply

BAD_GATEWAY, UNAVAILABLE, GATEWAY_TIMEOUT = 502, 503, 504
REDIRECTS = range(300, 400)


def task_of(reply: Reply) -> Task:
    """Return the task that an answer tells of, whatever became of it.

    Raises:
        PetioleError: it tells of a problem, or of nothing that is known.
    """
    document = _document(reply)
    try:
        if "state" in document:
            return answers.task_of(document)
    except (KeyError, TypeError) as exc:
        raise _unexpected(reply) from exc
    raise failure(reply)


def may_heal(reply: Reply) -> bool:
    """Tell whether the same request may be answered otherwise soon.

    A task that failed has the status of its problem, too, and will never be another.
    """
    if reply.status in errors.BUSY_STATUSES:
        return "state" not in _document(reply)
    return is_outage(reply)


def is_outage(reply: Reply) -> bool:
    """Tell whether a proxy answers in place of a service that is away."""
    return reply.status in {BAD_GATEWAY, GATEWAY_TIMEOUT} and not _document(reply)


def retry_after(reply: Reply) -> float | None:
    """Return after how many seconds the service wants to be asked again, where it says that."""
    said = reply.headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        moment, now = (parsedate_to_datetime(text) for text in (said, reply.headers["date"]))
    except (KeyError, ValueError):
        return None
    return max(0.0, (moment - now).total_seconds())


def failure(heard: Reply | Lost) -> PetioleError:
    """Return the error of a call that got no answer, or none that tells of a task."""
    if isinstance(heard, Lost):
        return UnreachableError(heard.reason)
    document = _document(heard)
    try:
        problem = answers.problem_of(document)
    except (KeyError, TypeError):
        if heard.status in {BAD_GATEWAY, UNAVAILABLE, GATEWAY_TIMEOUT}:
            return UnreachableError(f"a proxy answers {heard.status} in place of the service")
        return _unexpected(heard)
    return errors.of_problem(problem, retry_after_seconds=retry_after(heard))


def _document(reply: Reply) -> Mapping[str, Any]:
    """Return the JSON object of an answer; an empty one where there is none."""
    try:
        document = json.loads(reply.body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _unexpected(reply: Reply) -> UnexpectedAnswerError:
    if reply.status in REDIRECTS:
        place = reply.headers.get("location", "another address")
        return UnexpectedAnswerError(
            f"the answer is {reply.status} and leads to {place}; give the address that it leads to"
        )
    kind = reply.headers.get("content-type", "something").partition(";")[0]
    return UnexpectedAnswerError(
        f"the answer is {reply.status} with {kind}, which no Petiole service gives; is this the"
        " address of its API?"
    )
