"""`/v2`: the Open Inference Protocol of KServe and Triton, tried with `tritonclient`."""

import json
from collections.abc import Sequence
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, request

from api import bodies, catalog, health, options
from api.protocols import batches, outputs, pictures, requests
from api.protocols.documents import IndexedVersion, ModelMetadata, Server, TensorMetadata
from api.protocols.outputs import LABEL, PROBABILITIES, VERDICT
from api.protocols.pictures import BYTES, FP32, UINT8
from api.protocols.references import asked, known, reference
from model_store import ModelCard
from tasks.documents import ClassifiedTask, as_dict

EXTENSIONS = ("binary_tensor_data", "classification", "model_repository")
PLATFORM = "petiole_image_classification"
OCTETS = "application/octet-stream"

blueprint = APIBlueprint("open_inference", __name__, tag="Open Inference Protocol")
blueprint.after_request(batches.say)


@blueprint.get("/v2")
@blueprint.doc(responses={})
def server() -> Response:
    """Say what this server is, and which extensions of the protocol it has."""
    options.refuse_unknown(request.args, known=())
    version: str = current_app.version  # type: ignore[attr-defined] # APIFlask's
    return bodies.of(Server("petiole", version, EXTENSIONS))


@blueprint.get("/v2/health/live")
@blueprint.doc(responses={})
def live() -> Response:
    """Say that the process answers."""
    return health.livez()


@blueprint.get("/v2/health/ready")
@blueprint.doc(responses={})
def ready() -> Response:
    """Say whether a picture that is sent now would be answered; as `/readyz`."""
    return health.readyz()


@blueprint.get("/v2/models/<name>")
@blueprint.get("/v2/models/<name>/versions/<version>")
@blueprint.doc(responses={})
def metadata(name: str, version: str = "") -> Response:
    """Return the versions of a model, its input and its outputs."""
    options.refuse_unknown(request.args, known=())
    card, versions = known(reference(name, version))
    return bodies.of(_described(card, versions))


@blueprint.get("/v2/models/<name>/ready")
@blueprint.get("/v2/models/<name>/versions/<version>/ready")
@blueprint.doc(responses={})
def model_ready(name: str, version: str = "") -> Response:
    """Say whether a picture for this model would be answered."""
    options.refuse_unknown(request.args, known=())
    known(reference(name, version))
    return health.readyz()


@blueprint.post("/v2/models/<name>/infer")
@blueprint.post("/v2/models/<name>/versions/<version>/infer")
@blueprint.doc(responses={})
def infer(name: str, version: str = "") -> Response:
    """Classify pictures and wait for their answers.

    The input `image` is `BYTES` [N]: files, in base64 where they stand in JSON; or pixels [N,
    height, width, 3], `UINT8` of any size, or `FP32` as the model's preprocessing gives them.
    The values may follow the JSON as bytes. Each picture is a task of its own, named in
    `X-Task-Ids`, and its result is kept like any other.
    """
    options.refuse_unknown(request.args, known=())
    options.refuse_key()
    said, tensor = requests.read()
    wanted = requests.wanted(said)
    chosen = asked(reference(name, version), top_k=requests.most_labels(wanted))
    tasks = batches.classified(pictures.of(tensor), chosen)
    values = [outputs.of(output, tasks) for output in wanted]
    pairs = list(zip(wanted, values, strict=True))
    members = named(name, tasks) | ({"id": said.id} if said.id else {})
    members["outputs"] = [outputs.described(*pair) for pair in pairs]
    return _answer(members, [each.to_bytes() for output, each in pairs if output.is_binary])


@blueprint.post("/v2/repository/index")
@blueprint.doc(responses={})
def index() -> Response:
    """Return every version of every model."""
    options.refuse_unknown(request.args, known=())
    rows = [
        IndexedVersion(model.name, str(number))
        for model in catalog.of_this_process().lately()
        for number in model.versions
    ]
    return bodies.of_members([as_dict(row) for row in rows])


def named(name: str, tasks: Sequence[ClassifiedTask]) -> dict[str, Any]:
    """Return which model answered, and its version: while a trial runs there may be two."""
    versions = {task.model_version for task in tasks}
    members = {"model_name": name}
    return members | ({"model_version": str(*versions)} if len(versions) == 1 else {})


def _answer(members: dict[str, Any], binary: list[bytes]) -> Response:
    if not binary:
        return bodies.of_members(members)
    head = json.dumps(members).encode()
    response = Response(head + b"".join(binary), mimetype=OCTETS)
    response.headers[requests.HEADER_LENGTH] = str(len(head))
    return response


def _described(card: ModelCard, versions: tuple[int, ...]) -> ModelMetadata:
    size = card.preprocessing.input_size
    taken = f"{BYTES} [-1], {UINT8} [-1, -1, -1, 3], {FP32} [-1, {size}, {size}, 3]"
    return ModelMetadata(
        card.name,
        tuple(map(str, versions)),
        PLATFORM,
        inputs=(TensorMetadata(requests.INPUT, BYTES, (-1,), {"taken": taken}),),
        outputs=(
            TensorMetadata(PROBABILITIES, FP32, (-1, len(card.labels))),
            TensorMetadata(LABEL, BYTES, (-1,)),
            TensorMetadata(VERDICT, BYTES, (-1,)),
        ),
    )
