"""SavedModels of a backbone, alone or with a trained head: uint8 pictures in, numbers out.

Normalisation, head and temperature are inside the graph, so every runtime serves the same answer.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from model_store.card import PreprocessingSpec
from model_store.graphs import SIGNATURE
from model_store.importers import saving
from model_store.importers.networks import freeze
from model_store.importers.saving import Graph
from training.learning.backbone import Backbone, Network
from training.learning.dense import Dense


def save_features(backbone: Backbone, directory: Path) -> None:
    """Write a SavedModel that takes uint8 `images` [N, H, W, 3] and gives float32 `features`."""
    size = backbone.spec.input_size
    with backbone.worn() as network:
        # Constants are saved four times faster than a Keras model with its variables.
        frozen = freeze(
            lambda images: features(network, backbone, images), input_size=size, dtype=tf.uint8
        )
    images = tf.TensorSpec((None, size, size, 3), tf.uint8, name="images")
    signature = tf.function(
        lambda images: {"features": frozen(images)[0]}, input_signature=[images]
    )
    tf.saved_model.save(tf.Module(), str(directory), signatures={SIGNATURE: signature})


def save_classifier(
    features: Path, spec: PreprocessingSpec, dense: Dense, directory: Path, *, temperature: float
) -> None:
    """Write a SavedModel that takes uint8 `images` [N, H, W, 3] and gives `probabilities`.

    The probabilities are softmax(logits / temperature); a second signature gives the features, too.
    They come from a SavedModel that `save_features` wrote: tracing a Keras model and freezing it
    again takes seconds.
    """
    model = tf.saved_model.load(str(features))

    def answer(images: tf.Tensor) -> dict[str, tf.Tensor]:
        found = model.signatures[SIGNATURE](images=images)["features"]
        rows = logits(found, dense, temperature=temperature)
        return {"probabilities": tf.nn.softmax(rows), "features": found}

    saving.write_described(answer, spec, directory)


def features(network: Network, backbone: Backbone, images: tf.Tensor) -> tf.Tensor:
    """Return the features [N, width] of images [N, H, W, 3] on the scale 0 to 255, while tracing.

    Args:
        network: That of the backbone, with the weights that are wanted.
        backbone: Says how it takes pictures.
        images: In the order of channels that the backbone takes.
    """
    rows = Graph(network, tf.float32, backbone.spec).rows(images)
    return tf.reshape(rows, (-1, backbone.width))


def logits(features: tf.Tensor, dense: Dense, *, temperature: float) -> tf.Tensor:
    """Return the logits [N, classes] of features [N, width] over the temperature, while tracing."""
    return (features @ dense.weights + dense.bias) / np.float32(temperature)
