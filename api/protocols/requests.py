"""Requests of the Open Inference Protocol: JSON, or JSON and then the values as bytes.

Source: kserve/open-inference-protocol, `specification/protocol/inference_rest.md`; the extensions
`binary_tensor_data` and `classification` as in triton-inference-server/server, `docs/protocol`.
"""

from typing import Annotated, Any, Literal, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api import uploads
from api.errors import MalformedRequestError, UnsupportedMediaError
from api.protocols.outputs import OUTPUTS, PROBABILITIES, Output
from api.protocols.pictures import Tensor

INPUT = "image"
HEADER_LENGTH = "Inference-Header-Content-Length"
ALL_LABELS = 1_000_000
"""More than any model has: an answer then has as many as the version that gives it."""

Said = TypeVar("Said", bound=BaseModel)
Dimension = Annotated[int, Field(ge=1, strict=True)]


class _Members(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputParameters(_Members):
    """What is said of the input: how many bytes after the JSON are its values."""

    binary_data_size: int | None = Field(default=None, ge=0, strict=True)


class InferInput(_Members):
    """The pictures: `BYTES` [N], or `UINT8` or `FP32` [N, height, width, 3]."""

    name: Literal["image"]
    datatype: Literal["BYTES", "UINT8", "FP32"]
    shape: list[Dimension] = Field(min_length=1, max_length=4)
    parameters: InputParameters = InputParameters()
    data: list[Any] | None = None


class OutputParameters(_Members):
    """How an output is wanted: as bytes after the JSON, or as the best labels of each picture."""

    binary_data: bool | None = Field(default=None, strict=True)
    classification: int | None = Field(default=None, ge=1, le=ALL_LABELS, strict=True)


class RequestedOutput(_Members):
    """An output that is wanted."""

    name: Literal["probabilities", "label", "verdict"]
    parameters: OutputParameters = OutputParameters()


class RequestParameters(_Members):
    """What holds for all outputs that do not say it themselves."""

    binary_data_output: bool = Field(default=False, strict=True)


class InferRequest(_Members):
    """A request for the answers of some pictures."""

    inputs: list[InferInput] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] = Field(default=[], max_length=len(OUTPUTS))
    id: str = Field(default="", max_length=255)
    parameters: RequestParameters = RequestParameters()


def read() -> tuple[InferRequest, Tensor]:
    """Return the current request, and its input with the values wherever they stood.

    Raises:
        MalformedRequestError: it is none; says where.
        UnsupportedMediaError: it is compressed.
    """
    with uploads.whole_body():
        head, values = _split(body())
        asked = checked(InferRequest, head)
    return asked, _tensor(asked.inputs[0], values)


def body() -> bytes:
    """Return the body of the current request.

    Raises:
        UnsupportedMediaError: it is compressed.
    """
    if coding := request.headers.get("Content-Encoding"):
        raise UnsupportedMediaError(f"the body is in {coding}; send it as it is, uncompressed")
    return request.get_data(cache=False)


def checked(kind: type[Said], text: bytes) -> Said:
    """Return the JSON object that a request is.

    Raises:
        MalformedRequestError: it is none; says where.
    """
    try:
        return kind.model_validate(uploads.json_object(text))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise MalformedRequestError(f"{where}: {first['msg']}") from exc


def wanted(asked: InferRequest) -> tuple[Output, ...]:
    """Return the outputs that are wanted; all of them where none is named.

    Raises:
        MalformedRequestError: one stands twice, or cannot be had so.
    """
    named = asked.outputs or [RequestedOutput(name=name) for name in OUTPUTS]  # type: ignore[arg-type] # these are the names
    if len({each.name for each in named}) < len(named):
        raise MalformedRequestError("outputs: an output stands twice")
    for each in named:
        if each.parameters.classification and each.name != PROBABILITIES:
            raise MalformedRequestError(f"outputs: only {PROBABILITIES} has a classification")
    default = asked.parameters.binary_data_output
    return tuple(
        Output(
            each.name,
            is_binary=default if (own := each.parameters.binary_data) is None else own,
            best=each.parameters.classification or 0,
        )
        for each in named
    )


def most_labels(outputs: tuple[Output, ...]) -> int:
    """Return how many labels the outputs need: all for the probabilities of every class."""
    return max(
        ALL_LABELS if each.name == PROBABILITIES and not each.best else max(1, each.best)
        for each in outputs
    )


def _split(whole: bytes) -> tuple[bytes, bytes]:
    """Return the JSON of a body, and the values after it."""
    said = request.headers.get(HEADER_LENGTH)
    if said is None:
        return whole, b""
    length = int(said) if said.isascii() and said.isdecimal() and len(said) < 12 else len(whole) + 1  # noqa: PLR2004 - digits
    if length > len(whole):
        message = f"{HEADER_LENGTH} is {said!r}; expected at most the body's {len(whole)} bytes"
        raise MalformedRequestError(message)
    return whole[:length], whole[length:]


def _tensor(given: InferInput, values: bytes) -> Tensor:
    size = given.parameters.binary_data_size
    if size is None and given.data is None:
        raise MalformedRequestError("inputs.0: there is neither data nor a binary_data_size")
    if size is not None and given.data is not None:
        raise MalformedRequestError("inputs.0: there are both data and a binary_data_size")
    if len(values) != (size or 0):
        message = f"after the JSON come {len(values)} bytes; inputs.0 says {size or 0}"
        raise MalformedRequestError(f"{message}, and {HEADER_LENGTH} how long the JSON is")
    return Tensor(given.datatype, tuple(given.shape), given.data, values)
