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

from model_store.card import PreprocessingSpec
from model_store.runtimes.tensorflow import SIGNATURE
from training.learning.backbones import Backbone
from training.learning.dense import Dense


def save_features(backbone: Backbone, directory: Path) -> None:
    """Write a SavedModel that takes uint8 `images` [N, H, W, 3] and gives float32 `features`."""

    def serve(images: tf.Tensor) -> tf.Tensor:
        return features(backbone, images)

    images = _images(backbone.spec)
    # Constants are saved four times faster than a Keras model with its variables, and OpenVINO
    # cannot read the variables of TF1 modules.
    traced = tf.function(serve, input_signature=[images], autograph=False).get_concrete_function()
    frozen = convert_variables_to_constants_v2(traced)
    signature = tf.function(
        lambda images: {"features": frozen(images)[0]}, input_signature=[images]
    )
    _write(signature, directory)


def save_classifier(
    features: Path, spec: PreprocessingSpec, dense: Dense, directory: Path, *, temperature: float
) -> None:
    """Write a SavedModel that takes uint8 `images` [N, H, W, 3] and gives `probabilities`.

    The probabilities are softmax(logits / temperature). The features come from a SavedModel that
    `save_features` wrote: tracing a Keras model and freezing it again takes seconds.
    """
    model = tf.saved_model.load(str(features))

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        found = model.signatures[SIGNATURE](images=images)["features"]
        return {"probabilities": _probabilities(found, dense, temperature)}

    _write(tf.function(serve, input_signature=[_images(spec)]), directory)


def features(backbone: Backbone, images: tf.Tensor) -> tf.Tensor:
    """Return the features [N, width] of uint8 images [N, H, W, 3], while a graph is traced."""
    normalised = (tf.cast(images, tf.float32) - backbone.spec.mean) / backbone.spec.scale
    return tf.reshape(backbone.network(normalised), (-1, backbone.width))


def probabilities(
    backbone: Backbone, dense: Dense, images: tf.Tensor, *, temperature: float
) -> tf.Tensor:
    """Return the calibrated probabilities [N, classes] of uint8 images, while tracing."""
    return _probabilities(features(backbone, images), dense, temperature)


def _probabilities(found: tf.Tensor, dense: Dense, temperature: float) -> tf.Tensor:
    return tf.nn.softmax((found @ dense.weights + dense.bias) / np.float32(temperature))


def _images(spec: PreprocessingSpec) -> tf.TensorSpec:
    return tf.TensorSpec((None, spec.input_size, spec.input_size, 3), tf.uint8, name="images")


def _write(signature: Any, directory: Path) -> None:
    tf.saved_model.save(tf.Module(), str(directory), signatures={SIGNATURE: signature})
