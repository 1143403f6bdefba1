"""`POST /classify`: a picture in, a task id out, or the result when the client waits."""

from contextlib import suppress

from apiflask import APIBlueprint
from flask import Response

from api import answers, browsers, caching, catalog, links, options, uploads, waiting
from tasks import cancellation, documents, submission, views
from tasks.errors import TasksError
from tasks.explaining import life as explanations
from tasks.job_stores import FAILURE, REVOKED

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
    if chosen.explain:
        explanations.check_room()
    with waiting.place(options.bounded(chosen.wait)) as seconds:
        answer = submit(picture, asked, wait_seconds=seconds, key=key)
    if chosen.explain:
        _explain(answer, may_be_undone=not key)
    response = browsers.either(
        page=lambda: browsers.lead_to(links.to(documents.result_url(answer.task_id))),
        data=lambda: answers.of_submission(answer),
    )
    options.say_applied(response, seconds)
    return caching.say(response, answer)


def _explain(answer: views.Answer, *, may_be_undone: bool) -> None:
    """Accept the explanation of a picture that was just accepted, or cancel both.

    Its client is told of an error then, and sends the picture again. One that named its request is
    given the same task again, and its explanation with it.
    """
    if answer.state in {FAILURE, REVOKED}:
        return
    try:
        explanations.ask(answer.task_id)
    except TasksError:
        if may_be_undone:
            with suppress(TasksError):  # Its answer is then one that nobody asks for.
                cancellation.cancel(answer.task_id)
        raise


def submit(
    picture: uploads.Upload | uploads.ImageUrl,
    asked: submission.Asked,
    *,
    wait_seconds: float,
    key: str = "",
) -> views.Answer:
    """Accept one picture, whole or by address; returns it finished if that is within the wait."""
    if isinstance(picture, uploads.ImageUrl):
        return submission.submit_url(picture.url, asked=asked, wait_seconds=wait_seconds, key=key)
    return submission.submit_upload(
        picture.image, filename=picture.filename, asked=asked, wait_seconds=wait_seconds, key=key
    )
