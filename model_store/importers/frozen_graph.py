"""Imports a frozen TF1 graph (`.pb`), as the retrain programs of the first tutorials wrote it.

Source of the usual names and numbers: TensorFlow's `label_image.py` and `retrain.py`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from model_store import verification
from model_store.card import Origin
from model_store.errors import ModelFormatError
from model_store.importers import ImportOptions, operations
from model_store.importers.networks import Network, fed, freeze, of_colours, side

INPUT_LAYER = "Placeholder"
OUTPUT_LAYER = "final_result"
# `label_image.py --input_mean 0 --input_std 255`, its defaults: pixels become 0 to 1.
MEAN, SCALE = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
NAMES_SHOWN = 5


def read(source: str, options: ImportOptions) -> Network:
    """Return the classifier in a frozen graph.

    Raises:
        ModelFormatError: the file is no frozen graph, or has no tensors of the wanted names; the
            message lists the plausible ones.
        ImportOptionError: the input size is missing, or another one than the graph has.
    """
    path = Path(source)
    graph = parse(path)
    taken = _tensor_name(options.input_layer or INPUT_LAYER)
    given = _tensor_name(options.output_layer or OUTPUT_LAYER)
    shape, dtype = _input(graph, taken, given)
    size = side(shape, dtype, wanted=options.input_size, what=f"input layer {taken!r}")

    def call(pixels: tf.Tensor) -> tf.Tensor:
        # The input is replaced, so that graphs whose placeholder has a batch of 1 take any.
        return tf.import_graph_def(
            graph, name="", input_map={taken: pixels}, return_elements=[given]
        )[0]

    colours = of_colours(call, shape, dtype, options.channel_order)
    function = freeze(_wrapped(colours, size, dtype), input_size=size, dtype=dtype)
    where = Origin("file", "frozen graph", file=path.name, sha256=verification.file_digest(path))
    return Network(function, fed(dtype), size, where, path.parent, mean=MEAN, scale=SCALE)


def parse(path: Path) -> tf.compat.v1.GraphDef:
    """Return the graph of a file.

    Raises:
        ModelFormatError: it is no graph, or its weights are variables that lie elsewhere.
    """
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as exc:
        raise ModelFormatError(f"{path} is no frozen TensorFlow graph: {exc}") from exc
    if not graph.node:
        raise ModelFormatError(f"{path} is no frozen TensorFlow graph: it has no operations")
    variables = [node.name for node in graph.node if node.op in ("VariableV2", "VarHandleOp")]
    if variables:
        raise ModelFormatError(
            f"{path} is not frozen: the weights of {variables[0]!r} and {len(variables) - 1} more "
            "lie in a checkpoint; freeze it first"
        )
    return graph


def _wrapped(call: Any, size: int, dtype: tf.DType) -> Any:
    batch = tf.TensorSpec((None, size, size, 3), dtype)
    try:
        return tf.compat.v1.wrap_function(call, [batch])
    except (ValueError, TypeError, tf.errors.OpError) as exc:
        raise ModelFormatError(f"the graph cannot be used: {exc}") from exc


def _input(
    definition: tf.compat.v1.GraphDef, taken: str, given: str
) -> tuple[tf.TensorShape, tf.DType]:
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(definition, name="")
    except (ValueError, tf.errors.OpError) as exc:
        raise ModelFormatError(
            f"TensorFlow cannot read the graph: {operations.explained(str(exc))}"
        ) from exc
    found = graph.get_operations()
    _check_name(graph, taken, "--input_layer", _inputs(found))
    _check_name(graph, given, "--output_layer", _outputs(found))
    tensor = graph.get_tensor_by_name(taken)
    return tensor.shape, tensor.dtype


def _check_name(graph: tf.Graph, wanted: str, option: str, plausible: Iterable[str]) -> None:
    try:
        graph.get_tensor_by_name(wanted)
    except (KeyError, ValueError) as exc:
        names = ", ".join(list(plausible)[:NAMES_SHOWN]) or "none that looks like one"
        raise ModelFormatError(
            f"the graph has no tensor {wanted.partition(':')[0]!r}; plausible for {option}: {names}"
        ) from exc


def _inputs(operations: list[Any]) -> list[str]:
    """Return the names of what pictures may be fed to, placeholders first."""
    placeholders = [op.name for op in operations if op.type == "Placeholder"]
    # The first Inception graph of the tutorial is fed in the middle, at `Mul`.
    images = [op.name for op in operations if _gives_pictures(op)]
    return list(dict.fromkeys([*placeholders, *images]))


def _gives_pictures(operation: Any) -> bool:
    return any(
        tensor.shape.rank == 4 and tensor.shape[-1] == 3  # noqa: PLR2004 - [N, H, W, 3]
        for tensor in operation.outputs
    )


def _outputs(operations: list[Any]) -> list[str]:
    """Return the names of what may give the answers: softmax first, then what nothing reads."""
    softmax = [op.name for op in operations if op.type == "Softmax"]
    last = [
        op.name
        for op in operations
        if op.outputs and not any(tensor.consumers() for tensor in op.outputs)
    ]
    return list(dict.fromkeys([*softmax, *last]))


def _tensor_name(layer: str) -> str:
    name = layer.removeprefix("import/")
    return name if ":" in name else f"{name}:0"
