"""Which importer reads a file, by its first bytes and, where those say nothing, by its name."""

from dataclasses import dataclass
from pathlib import Path

from model_store.errors import ModelFormatError

HEAD_BYTES = 4096
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
_PYTHON_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))


@dataclass(frozen=True)
class FileKind:
    """Either the importer that reads such a file, or what to do instead."""

    importer: str | None = None
    advice: str = ""


KERAS = FileKind("keras_file")
GRAPH = FileKind("frozen_graph")
OPENVINO = FileKind("openvino_file")
_IR_WEIGHTS = FileKind(
    advice="it holds the weights of an OpenVINO network; publish the .xml file beside it"
)
_PICKLE = FileKind(
    advice="it is a Python pickle, whose code would run here when it is opened; where it was made "
    'export the network: torch.onnx.export(model, pictures, "model.onnx"), and publish that'
)
_TFLITE = FileKind(
    advice="a LiteRT file cannot be converted back; publish the SavedModel it was made from"
)
_CHECKPOINT = FileKind(
    advice="it is a part of a checkpoint, weights without a network; where it was made: "
    'model.export("FOLDER"), then publish FOLDER'
)
_WEIGHTS = FileKind(
    advice="safetensors hold weights and no network; export the network where it was made: "
    'torch.onnx.export(model, pictures, "model.onnx")'
)
_BY_ENDING = {
    ".keras": KERAS,
    ".h5": KERAS,
    ".hdf5": KERAS,
    ".pb": GRAPH,
    ".onnx": OPENVINO,
    ".xml": OPENVINO,
    ".bin": _IR_WEIGHTS,
    ".tflite": _TFLITE,
    ".pt": _PICKLE,
    ".pth": _PICKLE,
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
    ".joblib": _PICKLE,
    ".ckpt": _CHECKPOINT,
    ".index": _CHECKPOINT,
    ".safetensors": _WEIGHTS,
}


def kind(path: Path) -> FileKind:
    """Return what a file is; one that nothing is known of has neither importer nor advice.

    Raises:
        ModelFormatError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as exc:
        raise ModelFormatError(f"{path} cannot be read: {exc.strerror}") from exc
    if path.suffix.startswith(".data-") or path.name == "checkpoint":
        return _CHECKPOINT
    return _by_bytes(head) or _BY_ENDING.get(path.suffix.lower(), FileKind())


def _by_bytes(head: bytes) -> FileKind | None:
    if head.startswith(HDF5):
        return KERAS
    # PyTorch writes its pickles into a zip, too, and as its first member.
    if head.startswith(_PYTHON_PICKLES) or (head.startswith(ZIP) and b"data.pkl" in head):
        return _PICKLE
    if head.startswith(ZIP) and (b"metadata.json" in head or b"config.json" in head):
        return KERAS
    # Eight bytes of length, then JSON.
    if head[6:10] == b'\0\0{"':
        return _WEIGHTS
    return _TFLITE if head[4:8] == b"TFL3" else None
