"""What the routes' decorators cannot say in OpenAPI: three kinds of body, problem answers.

The schemas come from the pydantic models that describe the answers; the option parameters
from those that check them.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.options import ClassifyOptions, WaitOptions
from api.uploads import FIELD

JSON, PROBLEM_JSON = "application/json", "application/problem+json"
Spec = dict[str, Any]


class Progress(BaseModel):
    """How far a training is: `done` of `total` in its phase, both 0 where nothing is counted."""

    phase: str
    done: int = Field(ge=0)
    total: int = Field(ge=0)


class AcceptedTask(BaseModel):
    """A task that is not over."""

    task_id: str
    state: Literal["PENDING", "STARTED", "RETRY"]
    result_url: str
    progress: Progress | None = None


class Prediction(BaseModel):
    """One label and how probable the model finds it."""

    label: str
    class_index: int = Field(ge=0)
    probability: float = Field(ge=0, le=1)


class Timings(BaseModel):
    """Milliseconds of each stage."""

    queued: float
    download: float
    decode: float
    predict: float
    total: float


class Problem(BaseModel):
    """RFC 9457; `type` points into `/problems`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None


class FinishedTask(BaseModel):
    """A task that is over; `predictions` on SUCCESS, `error` on FAILURE.

    A training that succeeded has `report`, its place on the worker's machine, and `top1` on
    `test_pictures`; its `filename` is the folder of its pictures.
    """

    task_id: str
    state: Literal["SUCCESS", "FAILURE", "REVOKED"]
    model: str
    model_version: int | None = None
    runtime: str | None = None
    filename: str
    predictions: list[Prediction] | None = None
    timings_ms: Timings | None = None
    report: str | None = None
    top1: float | None = None
    test_pictures: int | None = None
    error: Problem | None = None


class UrlAnswer(BaseModel):
    """The first tutorial's answer."""

    filename: str
    labels: dict[str, float]
    model: str
    model_version: int
    task_id: str


class LabelProbability(BaseModel):
    """One row of the second tutorial's answer."""

    label: str
    probability: float


class PredictAnswer(BaseModel):
    """The second tutorial's answer."""

    success: Literal[True]
    predictions: list[LabelProbability]


SCHEMAS = (AcceptedTask, FinishedTask, Problem, UrlAnswer, PredictAnswer)
BINARY: Spec = {"type": "string", "format": "binary"}
FORM: Spec = {"type": "object", "required": [FIELD], "properties": {FIELD: BINARY}}
JSON_BODY: Spec = {
    "oneOf": [
        {
            "type": "object",
            "required": [name],
            "properties": {name: {"type": "string", "description": description}},
        }
        for name, description in (
            ("image_url", "http or https; the service downloads it"),
            (FIELD, "base64, or a data: URL"),
        )
    ]
}


def complete(spec: Any) -> Any:
    """Return the specification with bodies, parameters, answers and their schemas."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    for model in SCHEMAS:
        schemas.update(_schemas_of(model))
    spec["tags"] = [{"name": name} for name in {tag["name"]: None for tag in spec["tags"]}]
    paths = spec["paths"]
    _complete_classify(paths["/classify"])
    _complete_results(paths["/result/{task_id}"])
    _complete_compatible(paths["/classify"]["get"], paths["/predict"]["post"])
    for path, answer in (("/models", "Models"), ("/livez", "Alive"), ("/readyz", "Ready")):
        paths[path]["get"]["responses"] = {"200": {"description": answer}}
    paths["/readyz"]["get"]["responses"] |= _problems({503: "Not ready; names what is missing"})
    paths["/metrics"]["get"]["responses"] = {
        "200": {"description": "Prometheus' text format"},
        **_problems({503: "A store is not reachable"}),
    }
    return spec


def _schemas_of(model: type[BaseModel]) -> Spec:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _complete_classify(path: Spec) -> None:
    operation = path["post"]
    operation["parameters"] = _query(ClassifyOptions)
    content = {"multipart/form-data": {"schema": FORM}, JSON: {"schema": JSON_BODY}}
    content["image/*"] = {"schema": BINARY}
    operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = {
        "202": _answer(AcceptedTask, "Accepted; ask at result_url"),
        "200": _answer(FinishedTask, "Finished within the wait"),
        **_problems(
            {
                400: "No picture, or an unreadable body",
                404: "No such model or version",
                413: "Too many bytes",
                415: "Not a picture, or not a kind of body that is taken",
                422: "An impossible option, too many pixels, or an address that may not be asked",
                503: "A part of the service is not reachable",
            }
        ),
    }


def _complete_results(path: Spec) -> None:
    gone = {404: "Never handed out", 410: "No longer kept", 503: "The store is not reachable"}
    path["get"]["parameters"] = path["get"].get("parameters", []) + _query(WaitOptions)
    path["get"]["responses"] = {
        "200": _answer(FinishedTask, "Over"),
        "202": _answer(AcceptedTask, "Not over yet"),
        **_problems(gone | {422: "An impossible wait"}),
    }
    path["delete"]["responses"] = {
        "200": _answer(FinishedTask, "Revoked"),
        **_problems(gone | {409: "It has started or is over"}),
    }


def _complete_compatible(classify_url: Spec, predict: Spec) -> None:
    failures = {
        400: "No picture",
        415: "Not a picture",
        422: "The picture cannot be classified",
        500: "The job failed",
        503: "A part of the service is not reachable",
        504: "Not finished within the wait; carries task_id",
    }
    url = {"name": "image_url", "in": "query", "required": True, "schema": {"type": "string"}}
    classify_url["parameters"] = [url]
    classify_url["responses"] = {"200": _answer(UrlAnswer, "Classified"), **_problems(failures)}
    predict["requestBody"] = {"content": {"multipart/form-data": {"schema": FORM}}}
    predict["responses"] = {
        "200": _answer(PredictAnswer, "Classified"),
        **_problems(failures | {413: "Too many bytes"}),
    }


def _query(options: type[BaseModel]) -> list[Spec]:
    properties = options.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.get("description", ""),
            "schema": {k: v for k, v in schema.items() if k not in {"description", "title"}},
        }
        for name, schema in properties.items()
    ]


def _answer(model: type[BaseModel], description: str) -> Spec:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _problems(descriptions: dict[int, str]) -> Spec:
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {PROBLEM_JSON: {"schema": schema}}
    return {str(s): {"description": d, "content": content} for s, d in descriptions.items()}
