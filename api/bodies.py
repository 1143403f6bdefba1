"""JSON as the API sends it: whole, and with a newline at its end, as terminals expect it."""

from typing import TYPE_CHECKING, Any

from flask import Response, json

from tasks import documents

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

JSON = "application/json"


def of(document: "DataclassInstance", *, status: int = 200) -> Response:
    """Return a response with one document."""
    return of_members(documents.as_dict(document), status=status)


def of_members(members: Any, *, status: int = 200, mimetype: str = JSON) -> Response:
    """Return a response with one JSON object."""
    return of_text(json.dumps(members), status=status, mimetype=mimetype)


def of_text(text: str, *, status: int = 200, mimetype: str = JSON) -> Response:
    """Return a response with JSON that is written already."""
    return Response(f"{text}\n", status=status, mimetype=mimetype)
