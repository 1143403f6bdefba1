"""`GET /models`: which models, versions and aliases can be asked for."""

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from api import catalog, options

blueprint = APIBlueprint("models", __name__, tag="Models")


@blueprint.get("/models")
@blueprint.doc(operation_id="models", responses={})
def models() -> Response:
    """Return every model with its versions, aliases and the runtimes that may serve it."""
    options.refuse_unknown(request.args, known=())
    return jsonify(catalog.of_this_process().models())
