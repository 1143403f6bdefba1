"""`POST /classify`: a picture in, a task id out, or the result when the client waits."""

from apiflask import APIBlueprint
from flask import Response

from api import access, answers, browsers, catalog, links, options, uploads, waiting
from tasks import documents, submission, views

blueprint = APIBlueprint("classify", __name__, tag="Pictures")


@blueprint.post("/classify")
@blueprint.doc(operation_id="classify", responses={})
def classify() -> Response:
    """Queue the classification of one picture.

    Send the picture as the multipart field `image`, as the raw body (`image/*`), or as JSON or a
    form with `image_url` or `image` (base64 or a `data:` URL). The answer is 202 with the task id;
    with `wait` (or `Prefer: wait=N`) it is 200 with the finished document, if that is ready in
    time; the document of a job that failed has the status of its problem. A request that is sent
    again with the same `Idempotency-Key` gets the task of the first one. A browser's form is led to
    the page of the result.
    """
    picture, body_options = uploads.read()
    chosen = options.classify_options(body_options)
    asked = catalog.asked(chosen)
    key = options.idempotency_key()
    with waiting.place(options.bounded(chosen.wait)) as seconds:
        answer = submit(picture, asked, wait_seconds=seconds, key=key)
    response = browsers.either(
        page=lambda: browsers.lead_to(links.to(documents.result_url(answer.task_id))),
        data=lambda: answers.of_submission(answer),
    )
    options.say_applied(response, seconds)
    return response


def submit(
    picture: uploads.Upload | uploads.ImageUrl,
    asked: submission.Asked,
    *,
    wait_seconds: float,
    key: str = "",
) -> views.Answer:
    """Accept one picture, whole or by address; returns it finished if that is within the wait."""
    identity = access.identity()
    if isinstance(picture, uploads.ImageUrl):
        return submission.submit_url(
            picture.url, asked=asked, wait_seconds=wait_seconds, key=key, identity=identity
        )
    return submission.submit_upload(
        picture.image,
        filename=picture.filename,
        asked=asked,
        wait_seconds=wait_seconds,
        key=key,
        identity=identity,
    )
