"""What other protocols are answered, as types: described in the specification."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field


@dataclass(frozen=True)
class Server:
    """What this server is, and which extensions of the protocol it has."""

    name: str
    version: str
    extensions: tuple[str, ...]


@dataclass(frozen=True)
class TensorMetadata:
    """An input or an output; -1 in its shape stands for any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, str] | None = None


@dataclass(frozen=True)
class ModelMetadata:
    """A model's versions, its input and its outputs."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


@dataclass(frozen=True)
class OutputTensor:
    """The values of an output, or in `parameters` how many bytes after the JSON they are."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: tuple[float | str, ...] | None = None
    parameters: dict[str, int] | None = None


@dataclass(frozen=True)
class Inferred:
    """The outputs for some pictures; `model_version` where one version gave all of them."""

    model_name: str
    outputs: tuple[OutputTensor, ...]
    model_version: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class IndexedVersion:
    """A version of a model."""

    name: str
    version: str
    state: Literal["READY"] = "READY"
    reason: str = ""


@dataclass(frozen=True)
class VersionStatus:
    """A version, as TensorFlow Serving tells its state."""

    version: str
    state: Literal["AVAILABLE"]
    status: dict[str, str]


@dataclass(frozen=True)
class ModelStatus:
    """The states of a model's versions."""

    model_version_status: tuple[VersionStatus, ...]


@dataclass(frozen=True)
class SignatureMetadata:
    """What a version takes and gives, as TensorFlow Serving tells it."""

    model_spec: dict[str, str]
    metadata: dict[str, Any]


Probability = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Predicted:
    """The probability of every class, for each picture: of `instances`, or of `inputs`."""

    predictions: tuple[tuple[Probability, ...], ...] | None = None
    outputs: tuple[tuple[Probability, ...], ...] | None = None


@dataclass(frozen=True)
class Ranked:
    """The best labels with their probabilities, for each picture."""

    results: tuple[tuple[tuple[str, Probability], ...], ...]
