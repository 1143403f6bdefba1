"""`/bulk`: many pictures in one request, how far they are, and their results as they come."""

from collections.abc import Callable
from time import time

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from api import access, bodies, bulk_bodies, bulk_results, catalog, links, options
from api.answers import moment
from api.events import HAND_OVER
from api.options import ClassifyOptions
from api.pieces import PieceStream
from tasks import correlation, stores
from tasks.bulk import documents, life
from tasks.bulk.documents import BulkStatus
from tasks.bulk.records import Bulk
from tasks.documents import ProblemDocument
from tasks.job_stores import OVER, STARTED
from tasks.keys import ownership
from tasks.options import AskUnknown, MinProbability, Neighbours, Unknown, default_model

POLL_AFTER_SECONDS = 2

blueprint = APIBlueprint("bulk", __name__, tag="Many pictures")


class BulkOptions(BaseModel):
    """What a client may choose for all pictures of a bulk."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(
        default_factory=default_model, description=ClassifyOptions.model_fields["model"].description
    )
    top_k: int = Field(default=5, ge=1, le=1000, description="How many labels for each picture.")
    min_probability: float = MinProbability
    unknown: Unknown = AskUnknown
    neighbours: int = Neighbours


@blueprint.post(bulk_bodies.ROUTE)
@blueprint.doc(operation_id="bulk", responses={})
def bulk() -> Response:
    """Queue the classification of many pictures.

    Send a form with several files in the field `image`, a zip or tar archive, a JSON or CSV list of
    addresses, or a JSON object whose `prefix` is a place in a bucket that the operator allowed. The
    answer is 202 once all of it is stored. What is in it is looked at by a worker: a picture that
    cannot be taken has its problem among the results, and holds up no other one.
    """
    options.refuse_key()
    chosen = options.in_query(BulkOptions)
    asked = catalog.asked(ClassifyOptions(**chosen.model_dump()))
    with bulk_bodies.read() as body:
        accepted = Bulk(
            bulk_id=ownership.new_id(access.owner()),
            model=asked.version or asked.model,
            top_k=asked.top_k,
            min_probability=asked.min_probability,
            unknown=asked.unknown,
            neighbours=asked.neighbours,
            kind=body.kind,
            submitted_at=time(),
            size_bytes=body.size_bytes,
            place=body.place,
            boundary=body.boundary,
            request_id=correlation.current().request_id,
            trace=correlation.current().trace,
        )
        life.accept(accepted, body.path)
    response = bodies.of(_status(life.get(accepted.bulk_id)), status=202)
    response.headers["Location"] = links.to(documents.bulk_url(accepted.bulk_id))
    response.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    return response


@blueprint.get("/bulk/<bulk_id>")
@blueprint.doc(operation_id="bulkStatus", responses={})
def status(bulk_id: str) -> Response:
    """Say how many pictures of a bulk are done, how fast that goes, and how long it will take."""
    options.refuse_unknown(request.args, known=())
    return bodies.of(_status(life.get(bulk_id)))


@blueprint.get("/bulk/<bulk_id>/results")
@blueprint.doc(operation_id="bulkResults", responses={})
def results(bulk_id: str) -> Response:
    """Stream the results of a bulk that are there, and with `wait` also those that come.

    A line of JSON, or of CSV, for each picture, in the order in which packs of them end; `number`
    says which picture it is. Each line has a `cursor`: sent back, it lets a client go on after that
    line. No picture has two lines.
    """
    chosen = options.in_query(bulk_results.ResultOptions)
    found, prefix = life.get(bulk_id), links.prefix()
    stream = PieceStream(bulk_results.pieces(found, chosen, prefix, access.standing()))
    hand_over: Callable[[PieceStream], None] | None = request.environ.get(HAND_OVER)
    if hand_over:
        hand_over(stream)
    return Response(
        iter(()) if hand_over else stream.whole(),
        mimetype=bulk_results.MIMETYPES[chosen.format],
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@blueprint.post("/bulk/<bulk_id>/pause")
@blueprint.doc(operation_id="pauseBulk", responses={})
def pause(bulk_id: str) -> Response:
    """Begin no more pictures of a bulk; those in work are finished."""
    options.refuse_unknown(request.args, known=())
    return bodies.of(_status(life.pause(bulk_id, is_paused=True)))


@blueprint.post("/bulk/<bulk_id>/resume")
@blueprint.doc(operation_id="resumeBulk", responses={})
def resume(bulk_id: str) -> Response:
    """Go on with a bulk that was paused."""
    options.refuse_unknown(request.args, known=())
    return bodies.of(_status(life.pause(bulk_id, is_paused=False)))


@blueprint.post("/bulk/<bulk_id>/cancel")
@blueprint.doc(operation_id="cancelBulk", responses={})
def cancel(bulk_id: str) -> Response:
    """End a bulk now; the results so far stay."""
    options.refuse_unknown(request.args, known=())
    return bodies.of(_status(life.cancel(bulk_id)))


@blueprint.delete("/bulk/<bulk_id>")
@blueprint.doc(operation_id="forgetBulk", responses={})
def forget(bulk_id: str) -> Response:
    """Forget a bulk with its results; one that is not over is cancelled."""
    options.refuse_unknown(request.args, known=())
    life.forget(bulk_id)
    return Response(status=204)


def _status(bulk: Bulk) -> BulkStatus:
    done = bulk.succeeded + bulk.failed
    is_at_work = bulk.state == STARTED and not bulk.is_paused
    rate = stores.prompt_bulks().pace(bulk.bulk_id).rate if is_at_work else None
    return BulkStatus(
        bulk_id=bulk.bulk_id,
        state="PAUSED" if bulk.is_paused and bulk.state not in OVER else bulk.state,  # type: ignore[arg-type] # one of the states
        model=bulk.model,
        bulk_url=links.to(documents.bulk_url(bulk.bulk_id)),
        results_url=links.to(documents.results_url(bulk.bulk_id)),
        submitted_at=moment(bulk.submitted_at),
        done=done,
        failed=bulk.failed,
        total=bulk.total or None,
        pictures_per_second=None if rate is None else round(rate, 2),
        seconds_left=None if rate is None else round((bulk.total - done) / rate, 1),
        error=_error(bulk),
    )


def _error(bulk: Bulk) -> ProblemDocument | None:
    problem = bulk.problem
    return None if problem is None else links.in_problem(problem, links.prefix())
