"""The interfaces of two well-known tutorials, on the same jobs as everything else.

Both wait for the answer; their errors have a status of 4xx or 5xx, where the originals
answered 200 or 500.
"""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, json, jsonify, request

from api import catalog, uploads, waiting
from api.classify import submit
from api.errors import ApiError, NoImageError, TooManyWaitersError, WaitOverError, problem_response
from api.options import ClassifyOptions
from api.settings import settings

LABELS = 5

blueprint = APIBlueprint("compatible", __name__, tag="Compatible with the tutorials")


@blueprint.get("/classify")
@blueprint.doc(operation_id="classifyUrlAndWait", responses={})
def classify_url() -> Response:
    """Classify the picture at `image_url` and wait for the answer.

    Answers `{"filename": …, "labels": {label: score}}`.
    """
    image_url = request.args.get("image_url")
    if not image_url:
        raise NoImageError("the query needs image_url: /classify?image_url=https://…")
    document = _finished(uploads.checked_url(image_url))
    if "error" in document:
        return problem_response(document["error"])
    labels = {p["label"]: p["probability"] for p in document["predictions"]}
    return jsonify(
        filename=document["filename"],
        labels=labels,
        model=document["model"],
        model_version=document["model_version"],
        task_id=document["task_id"],
    )


@blueprint.post("/predict")
@blueprint.doc(operation_id="predict", responses={})
def predict() -> Response:
    """Classify the picture in the multipart field `image` and wait for the answer.

    Answers `{"success": true, "predictions": [{"label", "probability"}, …]}`.
    """
    document = _finished(uploads.from_form())
    if "error" in document:
        return problem_response(document["error"] | {"success": False})
    predictions = [
        {"label": p["label"], "probability": p["probability"]} for p in document["predictions"]
    ]
    return jsonify(success=True, predictions=predictions)


def _finished(picture: uploads.Upload | uploads.ImageUrl) -> dict[str, Any]:
    """Return the finished document of a new job.

    Raises:
        TooManyWaitersError: no place to wait is free; no job was made.
        WaitOverError: it is not over in time; its result can still be fetched.
    """
    model = catalog.check(ClassifyOptions().model)
    with waiting.place(settings().compatible_wait_seconds) as seconds:
        if not seconds:
            raise TooManyWaitersError("all places to wait are taken; use POST /classify and poll")
        answer = submit(picture, model=model, top_k=LABELS, wait_seconds=seconds)
    if answer.document is None:
        raise _wait_over(answer.task_id)
    return dict(json.loads(answer.document))


def _wait_over(task_id: str) -> ApiError:
    return WaitOverError(
        f"not finished within {settings().compatible_wait_seconds:g} seconds; ask"
        f" /result/{task_id} for it",
        task_id=task_id,
        result_url=f"/result/{task_id}",
    )
