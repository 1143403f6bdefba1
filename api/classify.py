"""`POST /classify`: a picture in, a task id out, or the result when the client waits."""

from apiflask import APIBlueprint
from flask import Response, request

from api import answers, catalog, options, uploads, waiting
from tasks import jobs
from tasks.job_stores import PENDING, Job

blueprint = APIBlueprint("classify", __name__, tag="Pictures")


@blueprint.post("/classify")
@blueprint.doc(operation_id="classify", responses={})
def classify() -> Response:
    """Queue the classification of one picture.

    Send the picture as the multipart field `image`, as the raw body (`image/*`), or as JSON with
    `image_url` or `image` (base64 or a `data:` URL). The answer is 202 with the task id; with
    `wait` (or `Prefer: wait=N`) it is 200 with the finished document, if that is ready in time.
    """
    picture, body_options = uploads.read()
    chosen = options.classify_options(body_options)
    catalog.check(chosen.model)
    with waiting.place(options.bounded(chosen.wait)) as seconds:
        job = submit(picture, model=chosen.model, top_k=chosen.top_k)
        response = _answer(job, seconds)
    if "Prefer" in request.headers and seconds:
        response.headers["Preference-Applied"] = f"wait={seconds:g}"
    return response


def submit(picture: uploads.Upload | uploads.ImageUrl, *, model: str, top_k: int) -> Job:
    """Accept one picture, whole or by address, and return its job."""
    if isinstance(picture, uploads.ImageUrl):
        return jobs.submit_url(picture.url, model=model, top_k=top_k)
    return jobs.submit_upload(picture.image, filename=picture.filename, model=model, top_k=top_k)


def _answer(job: Job, seconds: float) -> Response:
    if not seconds:
        return answers.accepted(job.task_id, PENDING)
    response = answers.of(jobs.wait_for(job.task_id, seconds=seconds))
    response.headers["Content-Location"] = f"/result/{job.task_id}"
    return response
