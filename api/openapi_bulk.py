"""What the specification says of `/bulk`: bodies by the gigabyte, and answers by the line."""

from typing import Any

from api import bulk_bodies
from api.bulk import BulkOptions
from api.bulk_results import MIMETYPES, ResultOptions
from api.openapi_parts import BINARY, answer, of_problems, one_of, query
from api.uploads import FIELD, MULTIPART, URL
from tasks.bulk.documents import BulkStatus, LabelledPicture, RefusedPicture

Spec = dict[str, Any]

SCHEMAS = (BulkStatus, LabelledPicture, RefusedPicture)
AWAY = {503: "A store is not reachable"}
MISSING = {404: "Never handed out, or no longer kept"}
OPTIONS = {422: "An option, which it lacks"}
ADDRESSES: Spec = {
    "type": "array",
    "minItems": 1,
    "items": {
        "description": "An address, or an object with image_url and name; one that is neither fails"
        " alone, with a line of its own",
        "examples": ["https://example.org/cat.jpg"],
    },
}
LIST: Spec = {
    "oneOf": [
        ADDRESSES,
        {"type": "object", "required": ["image_urls"], "properties": {"image_urls": ADDRESSES}},
        {
            "type": "object",
            "required": [bulk_bodies.PREFIX],
            "properties": {
                bulk_bodies.PREFIX: {
                    "type": "string",
                    "description": "Such as s3://photographs/2026, where the operator allowed it",
                }
            },
        },
    ]
}
FORM: Spec = {
    "type": "object",
    "required": [FIELD],
    "properties": {FIELD: {"type": "array", "minItems": 1, "items": BINARY}},
}


def complete(paths: Spec) -> None:
    """Describe the routes of bulks."""
    _complete_sending(paths[bulk_bodies.ROUTE]["post"])
    one = paths[f"{bulk_bodies.ROUTE}/{{bulk_id}}"]
    one["get"]["responses"] = {
        "200": answer("How far it is", BulkStatus),
        **of_problems(MISSING | OPTIONS | AWAY),
    }
    one["delete"]["responses"] = {
        "204": {"description": "Forgotten"},
        **of_problems(MISSING | OPTIONS | AWAY),
    }
    _complete_results(paths[f"{bulk_bodies.ROUTE}/{{bulk_id}}/results"]["get"])
    for verb in ("pause", "resume", "cancel"):
        paths[f"{bulk_bodies.ROUTE}/{{bulk_id}}/{verb}"]["post"]["responses"] = {
            "200": answer("How it is now", BulkStatus),
            **of_problems(MISSING | OPTIONS | AWAY | {409: "It is over"}),
        }


def _complete_sending(operation: Spec) -> None:
    operation["parameters"] = query(BulkOptions)
    archive = {"schema": BINARY}
    content: Spec = {"application/json": {"schema": LIST}, MULTIPART: {"schema": FORM}}
    content |= {"application/zip": archive, "application/x-tar": archive}
    content["text/csv"] = {
        "schema": {"type": "string", "minLength": 1, "description": f"A column {URL!r}"}
    }
    operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = {
        "202": answer("Accepted; ask at bulk_url", BulkStatus),
        **of_problems(
            {
                400: "Nothing was sent, or an unreadable body",
                404: "No such model or version",
                413: "Too many bytes",
                415: "None of the kinds of body that are taken",
                422: "An impossible or unknown option, or a bucket that is not allowed",
                503: "There are too many bulks already, or a part of the service is not reachable",
            }
        ),
    }


def _complete_results(operation: Spec) -> None:
    line = one_of((LabelledPicture, RefusedPicture))
    operation["parameters"] = operation.get("parameters", []) + query(ResultOptions)
    operation["responses"] = {
        "200": {
            "description": "Lines, each of a LabelledPicture or a RefusedPicture with its cursor",
            "content": {
                MIMETYPES["jsonl"]: {"schema": {"type": "string"}, "x-line": line},
                MIMETYPES["csv"]: {"schema": {"type": "string"}},
            },
        },
        **of_problems(
            MISSING
            | {422: "An impossible or unknown option", 503: "Not reachable, or too many streams"}
        ),
    }
