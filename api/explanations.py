"""`/result/<task_id>/explanation`: why a picture was given a label, as figures and as a map."""

from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from api import answers, bodies, catalog, links, options, waiting
from api.options import WaitOptions
from model_store.errors import UnknownLabelError
from tasks import documents, views
from tasks.documents import ClassifiedTask
from tasks.explaining import life
from tasks.views import Answer

ROUTE = "/result/<task_id>/explanation"
MIMETYPES = {"png": "image/png", "npy": "application/octet-stream"}

blueprint = APIBlueprint("explanations", __name__, tag="Explanations")


Label: Any = Field(
    default="", max_length=500, description="The label to explain; the best one when left out."
)


class ExplanationOptions(WaitOptions):
    """What a client may choose when it asks why."""

    label: str = Label


class MapOptions(BaseModel):
    """What a client may choose when it fetches a map; it is there, or not."""

    model_config = ConfigDict(frozen=True)

    label: str = Label


@blueprint.post(ROUTE)
@blueprint.doc(operation_id="explain", responses={})
def explain(task_id: str) -> Response:
    """Ask why a picture was given its best label, or how far it could have been given another one.

    202 with the address to ask again; 200 with the explanation where there is one already, or with
    `wait` as soon as there is. 410 when the picture is not kept (any more): it is for pictures that
    were sent with `explain=true` or `keep=true`, and for the time that the service says. 409 where
    the task failed, or the service makes no explanations.
    """
    chosen = options.in_query(ExplanationOptions)
    _check_label(task_id, chosen.label)
    with waiting.place(options.bounded(chosen.wait)) as seconds:
        answer = life.ask(task_id, chosen.label)
        if seconds and answer.document is None:
            answer = life.view(task_id, chosen.label, wait_seconds=seconds)
    return _told(task_id, chosen.label, answer)


@blueprint.get(ROUTE)
@blueprint.doc(operation_id="explanation", responses={})
def explanation(task_id: str) -> Response:
    """Return an explanation: its method, its figures, where the map is, and whether it explains.

    202 while it is made; 404 where nobody asked for it; 410 when its time to live is over.
    """
    chosen = options.in_query(ExplanationOptions)
    with waiting.place(options.bounded(chosen.wait)) as seconds:
        answer = life.view(task_id, chosen.label, wait_seconds=seconds)
    return _told(task_id, chosen.label, answer)


@blueprint.get(f"{ROUTE}.png")
@blueprint.doc(operation_id="explanationImage", responses={})
def image(task_id: str) -> Response:
    """Return the map over the picture, as a PNG: what is yellow speaks for the label."""
    return _artifact(task_id, "png")


@blueprint.get(f"{ROUTE}.npy")
@blueprint.doc(operation_id="explanationArray", responses={})
def array(task_id: str) -> Response:
    """Return the map's cells [rows, columns] as NumPy stores float32, for `numpy.load`."""
    return _artifact(task_id, "npy")


def _artifact(task_id: str, kind: str) -> Response:
    chosen = options.in_query(MapOptions)
    content = life.artifact(task_id, chosen.label, kind)
    return Response(content, mimetype=MIMETYPES[kind], headers={"Cache-Control": "private"})


def _told(task_id: str, label: str, answer: Answer) -> Response:
    """Return what `answers` do, with the explanation's own address."""
    if answer.document is not None:
        return answers.of(answer)
    place = documents.of_label(documents.explanation_url(task_id), label)
    task = replace(answers.task_of(answer, links.prefix()), result_url=links.to(place))
    response = bodies.of(task, status=202)
    response.headers["Location"] = task.result_url
    response.headers["Retry-After"] = str(answers.POLL_AFTER_SECONDS)
    return response


def _check_label(task_id: str, label: str) -> None:
    """Refuse a label that the picture's version does not have, where it is known by now.

    Raises:
        UnknownLabelError: it has none of this name.
    """
    if not label:
        return
    found = views.view(task_id).finished
    if not isinstance(found, ClassifiedTask):
        return
    labels = catalog.of_this_process().labels(found.model, found.model_version)
    if label not in labels:
        raise UnknownLabelError(f"{found.ref} has no label {label!r}")
