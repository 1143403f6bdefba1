"""`/models`: which models, versions and aliases can be asked for."""

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from api import browsers, catalog, options

blueprint = APIBlueprint("models", __name__, tag="Models")


@blueprint.get("/models")
@blueprint.doc(operation_id="models", responses={})
def models() -> Response:
    """Return every model with its versions, aliases and the runtimes that may serve it."""
    options.refuse_unknown(request.args, known=())
    offered = catalog.of_this_process().models()
    return browsers.either(
        page=lambda: browsers.page("models.html", models=offered.models),
        data=lambda: jsonify(offered),
    )


@blueprint.get("/models/<name>")
@blueprint.doc(operation_id="model", responses={})
def model(name: str) -> Response:
    """Return one model with its versions, aliases and the runtimes that may serve it."""
    options.refuse_unknown(request.args, known=())
    offered = catalog.of_this_process().model(name)
    return browsers.either(
        page=lambda: browsers.page("model.html", model=offered), data=lambda: jsonify(offered)
    )
