"""`/jobs`: what an operator sees of all jobs, and does to those in quarantine."""

from apiflask import APIBlueprint
from flask import Response, request

from api import access, bodies, links, operators, options
from tasks import audit, documents, ledger
from tasks.documents import AcceptedTask

blueprint = APIBlueprint("jobs", __name__, tag="Operations")


@blueprint.before_request
def _refuse_strangers() -> None:
    operators.admit()
    options.refuse_unknown(request.args, known=())


@blueprint.get("/jobs")
@blueprint.doc(operation_id="jobs", responses={})
def jobs() -> Response:
    """List the jobs that wait, those in work, and those in quarantine."""
    return bodies.of(ledger.overview())


@blueprint.get("/jobs/<task_id>")
@blueprint.doc(operation_id="job", responses={})
def job(task_id: str) -> Response:
    """Show one job: where it is, and how often it was started, put off and sent again."""
    return bodies.of(ledger.find(task_id))


@blueprint.post("/jobs/<task_id>/retry")
@blueprint.doc(operation_id="retryJob", responses={})
def retry(task_id: str) -> Response:
    """Classify a quarantined picture, or a failed one with an address, once more as a new job."""
    again = ledger.retry(task_id, owner=access.owner())
    audit.note(audit.RETRIED, task_id, by=access.named(), again=again)
    url = links.to(documents.result_url(again))
    response = bodies.of(AcceptedTask(again, "PENDING", url), status=202)
    response.headers["Location"] = url
    return response


@blueprint.delete("/jobs/<task_id>")
@blueprint.doc(operation_id="purgeJob", responses={})
def purge(task_id: str) -> Response:
    """Delete a quarantined picture for ever."""
    ledger.purge(task_id)
    audit.note(audit.PURGED, task_id, by=access.named())
    return Response(status=204)
