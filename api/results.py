"""`/result/<task_id>`: the state of a job, its document once it is over, and its end."""

from apiflask import APIBlueprint
from flask import Response, request

from api import answers, browsers, conditional, options, waiting
from tasks import cancellation, views

blueprint = APIBlueprint("results", __name__, tag="Pictures")


@blueprint.get("/result/<task_id>")
@blueprint.doc(operation_id="result", responses={})
def result(task_id: str) -> Response:
    """Return the state of a task, or its document once it is over.

    202 while it is PENDING, STARTED or RETRY; 200 when it is SUCCESS, FAILURE or REVOKED; 404 for
    an id that was never handed out; 410 when the result was kept for its time to live and is gone.
    304 when the answer would be, to the byte, the one whose `ETag` came as `If-None-Match`.
    """
    with waiting.place(options.wait_seconds()) as seconds:
        answer = views.view(task_id, wait_seconds=seconds)
    response = browsers.either(
        page=lambda: browsers.page("result.html", answer=answer, status=_status(answer)),
        data=lambda: conditional.of(answers.of(answer)),
    )
    options.say_applied(response, seconds)
    return response


@blueprint.delete("/result/<task_id>")
@blueprint.doc(operation_id="cancel", responses={})
def cancel(task_id: str) -> Response:
    """Cancel a task, or forget one that is over.

    200 with the document of a cancelled task, which stays REVOKED whatever its worker still does;
    204 when a finished one was forgotten: its document and its picture are gone, and its id answers
    410 from then on.
    """
    options.refuse_unknown(request.args, known=())
    cancelled = cancellation.cancel(task_id)
    return answers.of(cancelled) if cancelled else Response(status=204)


def _status(answer: views.Answer) -> int:
    return 202 if answer.document is None else 200
