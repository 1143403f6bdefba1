"""What OpenAPI says of the routes of other protocols."""

from typing import Any

from pydantic import BaseModel

from api.health import Ready
from api.openapi_parts import BINARY, JSON, answer, of_problems, one_of
from api.protocols import batches, documents, requests, tensorflow_serving
from model_store.references import NAME_PATTERN

Spec = dict[str, Any]

SCHEMAS = (
    documents.Server,
    documents.ModelMetadata,
    documents.Inferred,
    documents.IndexedVersion,
    documents.ModelStatus,
    documents.SignatureMetadata,
    documents.Predicted,
    documents.Ranked,
    requests.InferRequest,
    tensorflow_serving.PredictRequest,
    tensorflow_serving.ClassifyRequest,
)
OCTETS = "application/octet-stream"
PREFIXES = ("/v1/models", "/v2")
OPTION = {422: "An option, which it lacks"}
UNKNOWN = {404: "No such model or version", 422: "No name of a model, or an option"}
AWAY = {503: "A store is not reachable"}
NOT_READY = {503: "Not ready; names what is missing"}
FAILURES = {
    400: "No request of this protocol; says where",
    404: "No such model or version",
    409: "A task was revoked meanwhile",
    410: "A result is no longer kept",
    413: "Too many bytes",
    415: "Not a picture, or a body that is compressed",
    422: "A picture that cannot be classified, no name of a model, or an option",
    500: "A job failed, or the service",
    503: "There is too much to do already, or a part of the service is not reachable",
    504: "Not finished within the wait; carries task_ids",
}
TASK_IDS: Spec = {
    batches.TASK_IDS: {
        "description": "The task of each picture, in their order; also beside an error.",
        "schema": {"type": "string"},
    }
}
HEADER_LENGTH: Spec = {
    "name": requests.HEADER_LENGTH,
    "in": "header",
    "description": "Bytes of the JSON, where values follow it.",
    "schema": {"type": "integer", "minimum": 0},
}
INDEX: Spec = {
    "description": "The versions",
    "content": {JSON: {"schema": {"type": "array", "items": one_of((documents.IndexedVersion,))}}},
}


def _classified(kind: type, *also: str) -> Spec:
    """Return the answer with the labels of pictures, as JSON or in other forms."""
    said = answer("Classified", kind)
    said["content"] |= {form: {"schema": BINARY} for form in also}
    return {**said, "headers": TASK_IDS}


ANSWERS: dict[str, tuple[Spec, dict[int, str]]] = {
    "v2": (answer("The server", documents.Server), OPTION),
    "live": ({"description": "Alive"}, {}),
    "ready": (answer("Ready", Ready), UNKNOWN | NOT_READY),
    "index": (INDEX, OPTION | AWAY),
    "infer": (_classified(documents.Inferred, OCTETS), FAILURES),
    "predict": (_classified(documents.Predicted), FAILURES),
    "classify": (_classified(documents.Ranked), FAILURES),
    "metadata": (answer("The signature", documents.SignatureMetadata), UNKNOWN | AWAY),
}
"""What routes answer, by the last word of their path; others tell of a model."""


def complete(paths: Spec) -> None:
    """Describe every route of another protocol."""
    for path in (each for each in paths if each.startswith(PREFIXES)):
        for operation in paths[path].values():
            operation["operationId"] = _id_of(path)
            operation["responses"] = _responses(path)
            _name_parameters(operation)
        if "post" in paths[path]:
            _complete_post(path, paths[path]["post"])


def _id_of(path: str) -> str:
    """Return the name of the operation at a path: its words, without what is filled in."""
    words = path.replace(":", "/").replace("{", "").replace("}", "").split("/")
    return "_".join(word for word in words if word)


def _responses(path: str) -> Spec:
    last = path.replace(":", "/").rpartition("/")[2]
    if last in ANSWERS:
        found, failures = ANSWERS[last]
    elif path.startswith("/v2"):
        found, failures = answer("The model", documents.ModelMetadata), UNKNOWN | AWAY
    else:
        found, failures = answer("Its versions", documents.ModelStatus), UNKNOWN | AWAY
    return {"200": found, **of_problems(failures)}


def _name_parameters(operation: Spec) -> None:
    """Say what models, versions and aliases may be called."""
    for parameter in operation.get("parameters", []):
        if parameter["schema"].get("type") == "string":
            parameter["schema"] = {"type": "string", "pattern": f"^{NAME_PATTERN}$"}
        if parameter["name"] == "version":
            parameter["description"] = "Its number, or an alias such as `production`."


def _complete_post(path: str, operation: Spec) -> None:
    if path.endswith("infer"):
        content = {**_json(requests.InferRequest), OCTETS: {"schema": BINARY}}
        operation["parameters"] = [*operation["parameters"], HEADER_LENGTH]
    elif path.endswith("predict"):
        content = _json(tensorflow_serving.PredictRequest)
    elif path.endswith("classify"):
        content = _json(tensorflow_serving.ClassifyRequest)
    else:
        return
    operation["requestBody"] = {"required": True, "content": content}


def _json(kind: type[BaseModel]) -> Spec:
    return {JSON: {"schema": one_of((kind,))}}
