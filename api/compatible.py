"""The interfaces of two well-known tutorials, on the same jobs as everything else.

Both wait for the answer; their errors have a status of 4xx or 5xx, where the originals
answered 200 or 500.
"""

from dataclasses import dataclass
from typing import Literal

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from api import caching, catalog, links, options, uploads, waiting
from api.classify import submit
from api.errors import (
    ApiError,
    NoImageError,
    RevokedMeanwhileError,
    TooManyWaitersError,
    WaitOverError,
    problem_response,
)
from api.settings import settings
from tasks import documents
from tasks.documents import ClassifiedTask, FailedTask, ProblemDocument
from tasks.views import Answer

LABELS = 5


@dataclass(frozen=True)
class UrlAnswer:
    """The first tutorial's answer."""

    filename: str
    labels: dict[str, float]
    model: str
    model_version: int
    task_id: str


@dataclass(frozen=True)
class LabelProbability:
    """One row of the second tutorial's answer."""

    label: str
    probability: float


@dataclass(frozen=True)
class PredictAnswer:
    """The second tutorial's answer."""

    success: Literal[True]
    predictions: tuple[LabelProbability, ...]


blueprint = APIBlueprint("compatible", __name__, tag="Compatible with the tutorials")


@blueprint.get("/classify")
@blueprint.doc(operation_id="classifyUrlAndWait", responses={})
def classify_url() -> Response:
    """Classify the picture at `image_url` and wait for the answer.

    Answers `{"filename": …, "labels": {label: score}}`.
    """
    options.refuse_unknown(request.args, known=("image_url",))
    image_url = options.single(request.args).get("image_url")
    if not image_url:
        raise NoImageError("the query needs image_url: /classify?image_url=https://…")
    answer, ended = _ended(uploads.checked_url(image_url))
    if isinstance(ended, ProblemDocument):
        return problem_response(ended)
    labels = {p.label: p.probability for p in ended.predictions}
    body = UrlAnswer(ended.filename, labels, ended.model, ended.model_version, ended.task_id)
    return caching.say(jsonify(body), answer)


@blueprint.post("/predict")
@blueprint.doc(operation_id="predict", responses={})
def predict() -> Response:
    """Classify the picture in the multipart field `image` and wait for the answer.

    Answers `{"success": true, "predictions": [{"label", "probability"}, …]}`.
    """
    options.refuse_unknown(request.args, known=())
    answer, ended = _ended(uploads.read_form())
    if isinstance(ended, ProblemDocument):
        return problem_response(ended, success=False)
    rows = (LabelProbability(p.label, p.probability) for p in ended.predictions)
    body = PredictAnswer(success=True, predictions=tuple(rows))
    return caching.say(jsonify(body), answer)


def _ended(
    picture: uploads.Upload | uploads.ImageUrl,
) -> tuple[Answer, ClassifiedTask | ProblemDocument]:
    """Return what became of a new job: with its labels, or why there are none.

    Raises:
        TooManyWaitersError: no place to wait is free; no job was made.
        WaitOverError: it is not over in time; its result can still be fetched.
        RevokedMeanwhileError: somebody else revoked it meanwhile.
    """
    asked = catalog.asked(options.ClassifyOptions(top_k=LABELS))
    wanted = settings().compatible_wait_seconds
    with waiting.place(wanted) as seconds:
        if wanted and not seconds:
            raise TooManyWaitersError("all places to wait are taken; use POST /classify and poll")
        answer = submit(picture, asked, wait_seconds=seconds)
    match answer.finished:
        case None:
            raise _wait_over(answer.task_id)
        case ClassifiedTask() as classified:
            return answer, classified
        case FailedTask() as failed:
            return answer, failed.error
    raise RevokedMeanwhileError("the task was revoked while it waited", task_id=answer.task_id)


def _wait_over(task_id: str) -> ApiError:
    url, limit = links.to(documents.result_url(task_id)), settings().compatible_wait_seconds
    message = f"not finished within {limit:g} seconds; ask {url} for it"
    return WaitOverError(message, task_id=task_id, result_url=url)
