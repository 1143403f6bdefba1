"""What the routes' decorators cannot say in OpenAPI: four kinds of body, problem answers.

The schemas come from the pydantic models that describe the answers; the option parameters
from those that check them.
"""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, request
from pydantic import TypeAdapter

from api import (
    bodies,
    caching,
    conditional,
    events,
    examples,
    openapi_bulk,
    openapi_explanations,
    openapi_keys,
    openapi_models,
    story,
)
from api.admin import Administration
from api.compatible import PredictAnswer, UrlAnswer
from api.health import Ready
from api.openapi_parts import (
    BINARY,
    JSON,
    answer,
    of_problems,
    one_of,
    query,
    refuse_odd_paths,
)
from api.options import IDEMPOTENCY_KEY, KEY, ClassifyOptions, WaitOptions
from api.protocols import openapi as openapi_protocols
from api.settings import settings
from api.uploads import FIELD, MULTIPART, URL, URL_ENCODED
from tasks import signatures
from tasks.documents import (
    EVENT_TYPES,
    AcceptedTask,
    ClassifiedTask,
    ExplainedTask,
    FailedTask,
    ProblemDocument,
    RevokedTask,
    TrainedTask,
)
from tasks.ledger import Listed, Overview
from tasks.once import once

Spec = dict[str, Any]


SCHEMAS = (
    *(AcceptedTask, ClassifiedTask, TrainedTask, FailedTask, RevokedTask, ProblemDocument),
    *(UrlAnswer, PredictAnswer, Ready, Overview, Listed),
    Administration,
    *openapi_models.SCHEMAS,
    *openapi_bulk.SCHEMAS,
    *openapi_explanations.SCHEMAS,
    *openapi_protocols.SCHEMAS,
)
FINISHED = (ClassifiedTask, ExplainedTask, TrainedTask, FailedTask, RevokedTask)
ADDRESS: Spec = {"type": "string", "minLength": 1}
FORM: Spec = {"type": "object", "required": [FIELD], "properties": {FIELD: BINARY}}
TEXTS: Spec = {
    "type": "object",
    "properties": {
        URL: {**ADDRESS, "description": "http or https; the service downloads it"},
        FIELD: {"type": "string", "minLength": 1, "description": "base64, or a data: URL"},
    },
    "oneOf": [{"required": [URL]}, {"required": [FIELD]}],
}


IDEMPOTENCY: Spec = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "description": "What the client calls this request: sent again with the same picture and"
    " options it is answered with the same task.",
    "schema": {"type": "string", "pattern": f"^{KEY.pattern}$"},
}


IF_NONE_MATCH: Spec = {
    "name": conditional.IF_NONE_MATCH,
    "in": "header",
    "description": "The `ETag` of an earlier answer: 304 while nothing has changed since.",
    "schema": {"type": "string"},
}
ETAG: Spec = {
    conditional.ETAG: {
        "description": "A strong validator of this answer, derived from its bytes.",
        "schema": {"type": "string"},
    }
}

CACHE_CONTROL: Spec = {
    "name": "Cache-Control",
    "in": "header",
    "description": "`no-cache`: the picture is predicted, though the answer is known.",
    "schema": {"type": "string"},
}
X_CACHE: Spec = {
    caching.X_CACHE: {
        "description": "Whether the answer was known already; not there where the cache is off.",
        "schema": {"enum": [caching.HIT, caching.MISS]},
    },
    caching.AGE: {
        "description": "Of a hit: for how many seconds.",
        "schema": {"type": "integer", "minimum": 0},
    },
}

EVENT: Spec = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": list(story.KINDS)},
        "data": {"type": "string", "contentMediaType": JSON},
    },
}

OPEN_WORK: Spec = {
    "description": "How many jobs wait or are worked on, by queue",
    "content": {
        JSON: {"schema": {"type": "object", "additionalProperties": {"type": "integer"}}},
    },
}


blueprint = APIBlueprint("openapi", __name__, enable_openapi=False)


@blueprint.get("/openapi.json")
def specification() -> Response:
    """Return the specification; its server is the one that this client asks, prefix included."""
    servers = [{"url": request.root_url.rstrip("/")}]
    return bodies.of_members({**_specification(), "servers": servers})


@once
def _specification() -> Spec:
    specification: Spec = current_app.spec  # type: ignore[attr-defined] # APIFlask's
    return specification


def complete(spec: Any) -> Any:
    """Return the specification with bodies, parameters, answers and their schemas."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    for model in SCHEMAS:
        schemas.update(_schemas_of(model))
    spec["tags"] = [{"name": name} for name in {tag["name"]: None for tag in spec["tags"]}]
    paths = spec["paths"]
    _complete_classify(paths["/classify"])
    _complete_results(paths["/result/{task_id}"])
    _complete_events(paths["/events"]["get"])
    _complete_compatible(paths["/classify"]["get"], paths["/predict"]["post"])
    _complete_jobs(paths)
    openapi_bulk.complete(paths)
    openapi_models.complete(paths)
    openapi_explanations.complete(paths)
    openapi_protocols.complete(paths)
    spec["webhooks"] = {"taskEnded": {"post": _webhook()}}
    for path, responses in _plain_responses().items():
        paths[path]["get"]["responses"] = responses
    refuse_odd_paths(paths)
    examples.add(paths)
    if settings().are_keys_required:
        openapi_keys.complete(spec)
    return spec


def _plain_responses() -> dict[str, Spec]:
    """Return the answers of the routes that take nothing."""
    away = of_problems({503: "A store is not reachable"})
    not_ready = of_problems({503: "Not ready; names what is missing"})
    return {
        **openapi_models.responses(away),
        "/livez": {"200": {"description": "Alive"}},
        "/readyz": {"200": answer("Ready", Ready), **not_ready},
        "/metrics": {"200": {"description": "Prometheus' text format"}, **away},
        "/metrics/open-work": {"200": OPEN_WORK, **away},
    }


def _schemas_of(model: type) -> Spec:
    schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _complete_classify(path: Spec) -> None:
    operation = path["post"]
    operation["parameters"] = [*query(ClassifyOptions), IDEMPOTENCY, CACHE_CONTROL]
    # The first is what Swagger offers: the one whose example works without a file.
    content = {JSON: {"schema": TEXTS}, MULTIPART: {"schema": FORM}}
    content |= {URL_ENCODED: {"schema": TEXTS}, "image/*": {"schema": BINARY}}
    operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = {
        "202": {**answer("Accepted; ask at result_url", AcceptedTask), "headers": X_CACHE},
        "200": {
            **answer("Finished within the wait", ClassifiedTask, RevokedTask),
            "headers": X_CACHE,
        },
        **of_problems({400: "No picture, or an unreadable body", 413: "Too many bytes"}),
        **of_problems(
            {
                404: "No such model or version",
                415: "Not a picture, or not a kind of body that is taken",
                410: "The task of this Idempotency-Key is over, and its result no longer kept",
                422: "An impossible or unknown option, a picture that cannot be classified, an"
                " address that may not be asked, or an Idempotency-Key of another request",
                500: "The job failed, or the service",
                503: "There is too much to do already, or a part of the service is not reachable",
            },
            FailedTask,
        ),
    }


def _complete_results(path: Spec) -> None:
    gone = {404: "Never handed out", 410: "No longer kept", 503: "The store is not reachable"}
    parameters = [*query(WaitOptions), IF_NONE_MATCH]
    path["get"]["parameters"] = path["get"].get("parameters", []) + parameters
    path["get"]["responses"] = {
        "200": {**answer("Over", *FINISHED), "headers": ETAG},
        "202": {**answer("Not over yet", AcceptedTask), "headers": ETAG},
        "304": {"description": "Nothing has changed", "headers": ETAG},
        **of_problems(gone | {422: "An impossible wait, or an unknown option"}),
    }
    path["delete"]["responses"] = {
        "200": answer("Cancelled", RevokedTask),
        "204": {"description": "It was over, and is forgotten"},
        **of_problems(gone | {422: "An option, which it lacks"}),
    }


def _complete_events(operation: Spec) -> None:
    text: Spec = {"type": "string"}
    tasks: Spec = {
        "name": "task",
        "in": "query",
        "required": True,
        "description": "The id of a task; stands once for each.",
        "schema": {
            "type": "array",
            "items": {**text, "minLength": 1},
            "minItems": 1,
            "maxItems": events.MOST_TASKS,
        },
    }
    last: Spec = {
        "name": events.LAST_EVENT_ID,
        "in": "header",
        "description": "The id of the last event that came, of the same tasks in the same order.",
        "schema": text,
    }
    operation["parameters"] = [tasks, last]
    operation["responses"] = {
        "200": {
            "description": "Events `state`, `end` and `problem`, with an AcceptedTask, a finished"
            " task and a ProblemDocument as their data",
            "content": {events.EVENT_STREAM: {"schema": EVENT}},
        },
        "204": {"description": "All was told before"},
        **of_problems({414: "Longer than an address may be", 422: "No task, or too many"}),
        **of_problems({503: "Too many clients have a stream"}),
    }


def _webhook() -> Spec:
    """Return what is sent to a `webhook_url`."""
    event: Spec = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"enum": list(EVENT_TYPES.values())},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": one_of(FINISHED),
        },
    }
    headers = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
        for name in signatures.HEADERS
    ]
    return {
        "summary": "A task that was sent with webhook_url is over",
        "description": "Signed by the Standard Webhooks convention; sent at least once.",
        "parameters": headers,
        "requestBody": {"required": True, "content": {JSON: {"schema": event}}},
        "responses": {"2XX": {"description": "Taken; anything else is tried again, but 410"}},
    }


def _complete_jobs(paths: Spec) -> None:
    refused = {403: "Under an unknown name, or sent by another site's page"}
    missing = {404: "Not there, or jobs are not shown here", 422: "An option, which it lacks"}
    failures = of_problems(refused | missing | {503: "The store is not reachable"})
    paths["/admin"]["get"]["responses"] = {
        "200": answer("The service now", Administration),
        **failures,
    }
    paths["/jobs"]["get"]["responses"] = {"200": answer("The jobs", Overview), **failures}
    one, again = paths["/jobs/{task_id}"], paths["/jobs/{task_id}/retry"]
    one["get"]["responses"] = {"200": answer("The job", Listed), **failures}
    one["delete"]["responses"] = {"204": {"description": "Deleted"}, **failures}
    gone = of_problems({410: "Its picture is deleted; its client has to send it again"})
    again["post"]["responses"] = {"202": answer("Accepted", AcceptedTask), **failures, **gone}


def _complete_compatible(classify_url: Spec, predict: Spec) -> None:
    failures = {
        400: "No picture",
        409: "The job was revoked meanwhile",
        415: "Not a picture",
        422: "The picture cannot be classified, or an unknown option",
        500: "The job failed",
        503: "There is too much to do already, or a part of the service is not reachable",
        504: "Not finished within the wait; carries task_id",
    }
    url = {"name": "image_url", "in": "query", "required": True, "schema": ADDRESS}
    classify_url["parameters"] = [url]
    classified = {**answer("Classified", UrlAnswer), "headers": X_CACHE}
    classify_url["responses"] = {"200": classified, **of_problems(failures)}
    predict["requestBody"] = {"content": {MULTIPART: {"schema": FORM}}}
    predict["responses"] = {
        "200": {**answer("Classified", PredictAnswer), "headers": X_CACHE},
        **of_problems(failures | {413: "Too many bytes"}),
    }
