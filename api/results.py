"""`/result/<task_id>`: the state of a job, its document once it is over, and its revocation."""

from apiflask import APIBlueprint
from flask import Response, request

from api import answers, options, waiting
from tasks import jobs

blueprint = APIBlueprint("results", __name__, tag="Pictures")


@blueprint.get("/result/<task_id>")
@blueprint.doc(operation_id="result", responses={})
def result(task_id: str) -> Response:
    """Return the state of a task, or its document once it is over.

    202 while it is PENDING, STARTED or RETRY; 200 when it is SUCCESS, FAILURE or REVOKED; 404 for
    an id that was never handed out; 410 when the result was kept for its time to live and is gone.
    """
    with waiting.place(options.wait_seconds()) as seconds:
        response = answers.of(jobs.view(task_id, wait_seconds=seconds))
    options.say_applied(response, seconds)
    return response


@blueprint.delete("/result/<task_id>")
@blueprint.doc(operation_id="revoke", responses={})
def revoke(task_id: str) -> Response:
    """Revoke a task that has not started; a training also while it runs.

    409 when it has started or is over, 410 when its result is no longer kept.
    """
    options.refuse_unknown(request.args, known=())
    return answers.of(jobs.revoke(task_id))
