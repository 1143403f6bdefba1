"""Frozen graphs as the TensorFlow 1 tutorials have them, written and read.

`retrain.py` wrote one from `Placeholder` (RGB on the scale 0 to 1) to `final_result`, and
`label_image.py` read it with `--input_mean 0 --input_std 255`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from model_store import graphs as model_graphs
from model_store.errors import ModelFormatError
from model_store.importers.frozen_graph import INPUT_LAYER, parse
from model_store.pictures.decoding import decode
from training import whole
from training.errors import SettingsError
from training.learning import graphs
from training.learning.backbone import Backbone
from training.learning.dense import Dense

BRIGHTEST = 255.0
# No network of the tutorials takes more than 331; beyond this a mistyped number fills the memory.
MAX_SIDE_PIXELS = 4096


@dataclass(frozen=True)
class Conventions:
    """How the tutorial's programs prepare a picture and find their way into a graph.

    Pixels are resized bilinearly to height x width, without a crop; then mean is subtracted and
    std divides.

    Raises:
        SettingsError: no picture has that height or width.
    """

    input_layer: str
    output_layer: str
    input_height: int
    input_width: int
    input_mean: float
    input_std: float

    def __post_init__(self) -> None:
        """Refuse sizes that nothing can be resized to."""
        for flag in ("input_height", "input_width"):
            pixels = getattr(self, flag)
            if not 1 <= pixels <= MAX_SIDE_PIXELS:
                raise SettingsError(f"{flag} is {pixels}; it must be 1 to {MAX_SIDE_PIXELS}")


def write(
    backbone: Backbone, dense: Dense, path: Path, *, temperature: float, output_name: str
) -> None:
    """Write the model as a frozen graph from `Placeholder` to `output_name`."""
    size = backbone.spec.input_size
    placeholder = tf.TensorSpec((None, size, size, 3), tf.float32, name=INPUT_LAYER)
    with backbone.worn() as network:

        @tf.function(input_signature=[placeholder])  # type: ignore[untyped-decorator]
        def classify(images: tf.Tensor) -> tf.Tensor:
            ordered = images if backbone.spec.channel_order == "RGB" else images[..., ::-1]
            found = graphs.features(network, backbone, ordered * BRIGHTEST)
            answers = tf.nn.softmax(graphs.logits(found, dense, temperature=temperature))
            return tf.identity(answers, name=output_name)

        frozen = model_graphs.frozen(classify.get_concrete_function())
    whole.write(path, frozen.graph.as_graph_def().SerializeToString())


def read(path: Path, conventions: Conventions) -> Any:
    """Return a function from images, float32 [N, H, W, 3], to the output layer's numbers.

    Raises:
        SettingsError: the file is no frozen graph, a layer is not in it, or its input has another
            size.
    """
    try:
        definition = parse(path)
    except ModelFormatError as exc:
        raise SettingsError(f"graph is {path}, which cannot be used: {exc}") from exc
    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.compat.v1.import_graph_def(definition, name=""), []
    )
    ends = [
        _tensor(wrapped.graph, flag, getattr(conventions, flag))
        for flag in ("input_layer", "output_layer")
    ]
    _refuse_size(ends[0].shape, conventions)
    return wrapped.prune(*ends)


def classify(upload: bytes, function: Any, conventions: Conventions) -> NDArray[np.float32]:
    """Return what the output layer says to one upload, [classes].

    Raises:
        ImageError: the upload cannot be decoded.
        SettingsError: the graph does not say which size it takes, and it is another one.
    """
    image = decode(upload).resize(
        (conventions.input_width, conventions.input_height), Image.Resampling.BILINEAR
    )
    pixels = np.asarray(image, np.float32)
    normalised = (pixels - conventions.input_mean) / conventions.input_std
    try:
        answers: NDArray[np.float32] = function(tf.constant(normalised[None])).numpy()
    except tf.errors.InvalidArgumentError as exc:
        raise SettingsError(f"{_size(conventions)}, which the graph does not take: {exc}") from exc
    return answers.reshape(-1)


def _size(conventions: Conventions) -> str:
    height, width = conventions.input_height, conventions.input_width
    return f"input_height is {height} and input_width is {width}"


def _refuse_size(shape: Any, conventions: Conventions) -> None:
    height, width = conventions.input_height, conventions.input_width
    if not shape.is_compatible_with((None, height, width, None)):
        raise SettingsError(f"{_size(conventions)}; {conventions.input_layer} takes {shape}")


def _tensor(graph: Any, flag: str, name: str) -> Any:
    try:
        return graph.get_operation_by_name(name.removeprefix("import/")).outputs[0]
    except (KeyError, ValueError, IndexError) as exc:
        inputs = [op.name for op in graph.get_operations() if op.type == "Placeholder"]
        last = [op.name for op in graph.get_operations() if op.outputs][-3:]
        raise SettingsError(
            f"{flag} is {name!r}, which the graph does not have; its inputs are "
            f"{', '.join(inputs)}, its last operations {', '.join(last)}"
        ) from exc
