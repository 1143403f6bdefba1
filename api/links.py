"""Addresses of this service as a client sees them: below the path that a proxy put before them.

Workers and stores know no such path, so it is put on here, at the edge, where there is one.
"""

from dataclasses import replace

from flask import request

from tasks import documents
from tasks.documents import ClassifiedTask, ExplainedTask, FailedTask, Neighbour, ProblemDocument


def prefix() -> str:
    """Return the path before every address of this request, such as `/pictures`; mostly nothing."""
    return request.root_path


def to(path: str) -> str:
    """Return the address of a path such as `/result/…` for the client of this request."""
    return request.root_path + path


def in_problem(document: ProblemDocument, before: str) -> ProblemDocument:
    """Return a problem whose `type` and `instance` are addresses below the prefix `before`."""
    if not before:
        return document
    return replace(
        document,
        type=_below(before, document.type),
        instance=_below(before, document.instance) if document.instance else None,
    )


def in_finished(text: str, before: str) -> str:
    """Return the JSON of a finished task, whose addresses are below `before`."""
    if not before:
        return text
    task = documents.finished(text)
    if isinstance(task, FailedTask):
        return documents.to_json(replace(task, error=in_problem(task.error, before)))
    if isinstance(task, ClassifiedTask) and (task.explanation_url or task.neighbours):
        return documents.to_json(_in_classified(task, before))
    if isinstance(task, ExplainedTask):
        urls = _below(before, task.image_url), _below(before, task.array_url)
        return documents.to_json(replace(task, image_url=urls[0], array_url=urls[1]))
    return text


def _in_classified(task: ClassifiedTask, before: str) -> ClassifiedTask:
    url = task.explanation_url and _below(before, task.explanation_url)
    near = task.neighbours and tuple(_in_neighbour(each, before) for each in task.neighbours)
    return replace(task, explanation_url=url, neighbours=near)


def _in_neighbour(near: Neighbour, before: str) -> Neighbour:
    url = near.thumbnail_url and _below(before, near.thumbnail_url)
    return replace(near, thumbnail_url=url)


def _below(before: str, address: str) -> str:
    """Return an address of this service below the prefix; others, as `about:blank`, as they are."""
    return before + address if address.startswith("/") else address
