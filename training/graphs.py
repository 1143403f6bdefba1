"""SavedModels of a backbone, alone or with a trained head: uint8 pictures in, numbers out.

Normalisation, head and temperature are inside the graph, so every runtime serves the same answer.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from model_store.runtimes.tensorflow import SIGNATURE
from training.backbones import Backbone
from training.dense import Dense


def save_features(backbone: Backbone, directory: Path) -> None:
    """Write a SavedModel that takes uint8 `images` [N, H, W, 3] and gives float32 `features`."""

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": features(backbone, images)}

    _save(backbone, serve, directory)


def save_classifier(
    backbone: Backbone, dense: Dense, directory: Path, *, temperature: float
) -> None:
    """Write a SavedModel that takes uint8 `images` [N, H, W, 3] and gives `probabilities`.

    The probabilities are softmax(logits / temperature).
    """

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": probabilities(backbone, dense, images, temperature=temperature)}

    _save(backbone, serve, directory)


def features(backbone: Backbone, images: tf.Tensor) -> tf.Tensor:
    """Return the features [N, width] of uint8 images [N, H, W, 3], while a graph is traced."""
    normalised = (tf.cast(images, tf.float32) - backbone.spec.mean) / backbone.spec.scale
    return tf.reshape(backbone.network(normalised), (-1, backbone.width))


def probabilities(
    backbone: Backbone, dense: Dense, images: tf.Tensor, *, temperature: float
) -> tf.Tensor:
    """Return the calibrated probabilities [N, classes] of uint8 images, while tracing."""
    logits = features(backbone, images) @ dense.weights + dense.bias
    return tf.nn.softmax(logits / np.float32(temperature))


def _save(backbone: Backbone, serve: Any, directory: Path) -> None:
    size = backbone.spec.input_size
    images = tf.TensorSpec((None, size, size, 3), tf.uint8, name="images")
    # Constants are saved four times faster than a Keras model with its variables, and OpenVINO
    # cannot read the variables of TF1 modules.
    traced = tf.function(serve, input_signature=[images]).get_concrete_function()
    frozen = convert_variables_to_constants_v2(traced)
    (name,) = traced.structured_outputs
    signature = tf.function(lambda images: {name: frozen(images)[0]}, input_signature=[images])
    tf.saved_model.save(tf.Module(), str(directory), signatures={SIGNATURE: signature})
