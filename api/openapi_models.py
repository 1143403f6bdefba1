"""What OpenAPI says of `/models`: every model, one of them, one version of it."""

from typing import Any

from api.catalog import OfferedModel, OfferedModels
from api.openapi_parts import answer, of_problems
from api.versions import Labels, OfferedVersion
from model_store.references import NAME_PATTERN

Spec = dict[str, Any]

SCHEMAS = (OfferedModel, OfferedModels, OfferedVersion, Labels)
_PLACE = "/models/{name}/{version}"
_PAGE: Spec = {"text/html": {"schema": {"type": "string"}}}
_JPEG: Spec = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
_NUMBER = "number"
_NO_LEADING_ZEROS = "(?!0[0-9]+$)"


def complete(paths: Spec) -> None:
    """Say what models, versions and aliases may be called, in the addresses of those that are."""
    for path in (path for name, path in paths.items() if name.startswith("/models/")):
        for parameter in path["get"]["parameters"]:
            if parameter["name"] == _NUMBER:
                parameter["description"] = "Which of the references, from 0 on."
                continue
            parameter["schema"] = {"type": "string", "pattern": f"^{NAME_PATTERN}$"}
            if parameter["name"] == "version":
                parameter["schema"]["pattern"] = f"^{_NO_LEADING_ZEROS}{NAME_PATTERN}$"
                parameter["description"] = "Its number, or an alias such as `production`."


def responses(away: Spec) -> dict[str, Spec]:
    """Return the answers of each route; `away` are those while a store is not reachable."""
    unknown = {404: "No such model or version", 422: "No name of a model, or an option"}
    refused = of_problems(unknown) | away
    return {
        "/models": {"200": answer("The models", OfferedModels), **away},
        "/models/{name}": {"200": answer("The model", OfferedModel), **refused},
        _PLACE: {"200": answer("The version", OfferedVersion), **refused},
        f"{_PLACE}/labels": {"200": answer("Its labels", Labels), **refused},
        f"{_PLACE}/references/{{{_NUMBER}}}.jpg": {
            "200": {"description": "The small picture", "content": _JPEG},
            **refused,
        },
        f"{_PLACE}/report": {"200": {"description": "The page", "content": _PAGE}, **refused},
    }
