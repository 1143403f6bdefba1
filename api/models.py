"""`GET /models`: which models, versions and aliases can be asked for."""

from apiflask import APIBlueprint
from flask import Response, jsonify

from api import catalog

blueprint = APIBlueprint("models", __name__, tag="Models")


@blueprint.get("/models")
@blueprint.doc(operation_id="models", responses={})
def models() -> Response:
    """Return every model with its versions, aliases and the runtimes that may serve it."""
    return jsonify(catalog.of_this_process().models())
