"""`/v1/models`: TensorFlow Serving's REST interface, for clients that move from there.

Source: tensorflow/serving, `tensorflow_serving/g3doc/api_rest.md`.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.routing import BaseConverter

from api import bodies, encoded, options, uploads
from api.errors import MalformedRequestError
from api.protocols import batches, outputs, pictures, requests
from api.protocols.documents import ModelStatus, SignatureMetadata, VersionStatus
from api.protocols.references import asked, known, reference
from api.protocols.requests import ALL_LABELS, INPUT
from model_store.pictures import npy
from tasks.documents import ClassifiedTask

LABELS = 5
SIGNATURE = "serving_default"
Said = TypeVar("Said", bound=BaseModel)


class _Word(BaseConverter):
    """A part of an address up to a colon, behind which the verb of a POST stands."""

    regex = "[^/:]+"


blueprint = APIBlueprint("tensorflow_serving", __name__, tag="TensorFlow Serving")
blueprint.record(lambda state: state.app.url_map.converters.update(word=_Word))
blueprint.after_request(batches.say)


class PredictRequest(BaseModel):
    """Pictures, row by row or in a column: `{"b64": …}`, or pixels [H][W][3]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signature_name: Literal["", "serving_default"] = ""
    instances: list[Any] | None = None
    inputs: Any = None


class ClassifyRequest(BaseModel):
    """Examples, each a picture under `image`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signature_name: Literal["", "serving_default"] = ""
    examples: list[Any] = Field(min_length=1)


@blueprint.get("/v1/models/<word:name>")
@blueprint.get("/v1/models/<word:name>/versions/<word:version>")
@blueprint.get("/v1/models/<word:name>/labels/<word:version>")
@blueprint.doc(responses={})
def status(name: str, version: str = "") -> Response:
    """Return the state of a model's versions, or of one by its number or an alias."""
    options.refuse_unknown(request.args, known=())
    card, versions = known(reference(name, version))
    shown = [card.version] if version else sorted(versions, reverse=True)
    fine = {"error_code": "OK", "error_message": ""}
    rows = tuple(VersionStatus(str(each), "AVAILABLE", fine) for each in shown)
    return bodies.of(ModelStatus(rows))


@blueprint.get("/v1/models/<word:name>/metadata")
@blueprint.get("/v1/models/<word:name>/versions/<word:version>/metadata")
@blueprint.get("/v1/models/<word:name>/labels/<word:version>/metadata")
@blueprint.doc(responses={})
def metadata(name: str, version: str = "") -> Response:
    """Return what a model takes and gives here, as a signature."""
    options.refuse_unknown(request.args, known=())
    card, _ = known(reference(name, version))
    signature = {
        "inputs": {INPUT: _tensor("DT_STRING", -1)},
        "outputs": {outputs.PROBABILITIES: _tensor("DT_FLOAT", -1, len(card.labels))},
        "method_name": "tensorflow/serving/predict",
    }
    spec = {"name": card.name, "signature_name": "", "version": str(card.version)}
    signatures = {"signature_def": {"signature_def": {SIGNATURE: signature}}}
    return bodies.of(SignatureMetadata(spec, signatures))


@blueprint.post("/v1/models/<word:name>:predict")
@blueprint.post("/v1/models/<word:name>/versions/<word:version>:predict")
@blueprint.post("/v1/models/<word:name>/labels/<word:version>:predict")
@blueprint.doc(responses={})
def predict(name: str, version: str = "") -> Response:
    """Return the probability of every class, for each picture of `instances` or `inputs`.

    A picture is `{"b64": …}`, pixels [H][W][3] in whole numbers, or floating-point ones as the
    model's preprocessing gives them; it may stand alone, or under `image`.
    """
    said = _said(PredictRequest)
    if (said.instances is None) == (said.inputs is None):
        raise MalformedRequestError("send either instances or inputs")
    rows = _column(said.inputs) if said.instances is None else said.instances
    tasks = _classified(reference(name, version), rows, top_k=ALL_LABELS)
    probabilities = outputs.probabilities(tasks)
    return bodies.of_members({"predictions" if said.inputs is None else "outputs": probabilities})


@blueprint.post("/v1/models/<word:name>:classify")
@blueprint.post("/v1/models/<word:name>/versions/<word:version>:classify")
@blueprint.post("/v1/models/<word:name>/labels/<word:version>:classify")
@blueprint.doc(responses={})
def classify(name: str, version: str = "") -> Response:
    """Return the best labels with their probabilities, for each picture of `examples`."""
    said = _said(ClassifyRequest)
    tasks = _classified(reference(name, version), said.examples, top_k=LABELS)
    rows = [[[p.label, p.probability] for p in task.predictions] for task in tasks]
    return bodies.of_members({"results": rows})


def _classified(named: str, rows: Sequence[Any], *, top_k: int) -> tuple[ClassifiedTask, ...]:
    chosen = asked(named, top_k=top_k)
    pictures.check_count(len(rows))
    return batches.classified(pictures.checked(map(_picture, rows)), chosen)


def _said(kind: type[Said]) -> Said:
    options.refuse_unknown(request.args, known=())
    options.refuse_key()
    with uploads.whole_body():
        return requests.checked(kind, requests.body())


def _column(inputs: Any) -> list[Any]:
    """Return the pictures of `inputs`, which may name the only input."""
    column = inputs.get(INPUT) if isinstance(inputs, dict) and "b64" not in inputs else inputs
    if isinstance(column, dict):
        return [column]
    if not isinstance(column, list):
        raise MalformedRequestError(f"inputs: expected pictures, or {INPUT} with pictures")
    return column


def _picture(row: Any) -> bytes:
    """Return the picture that an instance or an example is."""
    value = row[INPUT] if isinstance(row, dict) and set(row) == {INPUT} else row
    if isinstance(value, list):
        return pictures.array(value)
    if isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str):
        return encoded.decoded(value["b64"])
    raise MalformedRequestError(
        f'expected {{"b64": …}} or pixels [H][W][{npy.CHANNELS}], alone or under {INPUT}'
    )


def _tensor(dtype: str, *shape: int) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in shape]
    return {
        "dtype": dtype,
        "tensor_shape": {"dim": dimensions, "unknown_rank": False},
        "name": "",
    }
