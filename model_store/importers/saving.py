"""The SavedModel that every way in ends with: uint8 `images` in, float32 `probabilities` out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_store import graphs
from model_store.card import PreprocessingSpec


@dataclass(frozen=True)
class Graph:
    """A network behind its normalisation.

    Attributes:
        predict: From pixels [N, H, W, 3] of `dtype` to logits or probabilities [N, classes].
        dtype: `tf.float32`; `tf.uint8` where the network normalises itself.
        spec: Its mean and scale become the first operations of the graph.
        variables: What `predict` reads, to be saved with it; none where weights are constants.
    """

    predict: Callable[[tf.Tensor], tf.Tensor]
    dtype: tf.DType
    spec: PreprocessingSpec
    variables: tuple[Any, ...] = ()

    def rows(self, images: tf.Tensor) -> tf.Tensor:
        """Return the network's own float32 answers [N, classes] on uint8 images [N, H, W, 3]."""
        if self.dtype == tf.uint8:
            return tf.cast(self.predict(images), tf.float32)
        normalised = graphs.normalised(images, self.spec)
        return tf.cast(self.predict(normalised), tf.float32)


def write(graph: Graph, directory: Path, *, logits: bool) -> None:
    """Write a SavedModel that takes uint8 `images` [N, H, W, 3] and gives `probabilities`.

    Args:
        graph: The network behind its normalisation.
        directory: Where the SavedModel is written.
        logits: Whether the network's answers need a softmax.
    """

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = graph.rows(images)
        return {"probabilities": tf.nn.softmax(rows) if logits else rows}

    module = tf.Module()
    module.variables_of_the_model = list(graph.variables)
    size = graph.spec.input_size
    images = tf.TensorSpec((None, size, size, 3), tf.uint8, name="images")
    signature = tf.function(serve, input_signature=[images])
    tf.saved_model.save(module, str(directory), signatures={graphs.SIGNATURE: signature})


def write_described(
    answer: Callable[[tf.Tensor], dict[str, tf.Tensor]], spec: PreprocessingSpec, directory: Path
) -> None:
    """Write a SavedModel that gives its features as well, in a signature beside the usual one.

    Args:
        answer: From uint8 images [N, H, W, 3] to `probabilities` and `features`.
        spec: Of the pixels.
        directory: Where the SavedModel is written.
    """
    size = spec.input_size
    images = tf.TensorSpec((None, size, size, 3), tf.uint8, name="images")
    # The weights are in this function alone; the usual signature calls it.
    described = tf.function(answer, input_signature=[images])
    plain = tf.function(
        lambda images: {"probabilities": described(images)["probabilities"]},
        input_signature=[images],
    )
    signatures = {graphs.SIGNATURE: plain, graphs.DESCRIBED: described}
    tf.saved_model.save(tf.Module(), str(directory), signatures=signatures)
