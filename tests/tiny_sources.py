"""Tiny untrained classifiers, 8 x 8 pixels and three labels, in every form that can be published.

All are the same network: the mean of each channel, on the scale 0 to 1, times `SHARPNESS` is its
logit. So red, green and blue pictures have answers that can be computed by hand.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

LABELS = ("red", "green", "blue")
SIZE = 8
SHARPNESS = 6.0

Batch = tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="image")


def logits(pixels: tf.Tensor) -> tf.Tensor:
    """Return the logits [N, 3] of pixels from 0 to 1."""
    return tf.reduce_mean(pixels, axis=[1, 2]) * SHARPNESS


def probabilities(pixels: tf.Tensor) -> tf.Tensor:
    """Return the probabilities [N, 3] of pixels from 0 to 1."""
    return tf.nn.softmax(logits(pixels))


def labels_file(path: Path) -> Path:
    """Write the labels as the retrain program writes them, one a line."""
    path.write_text("".join(f"{label}\n" for label in LABELS))
    return path


def saved_model(
    directory: Path, answer: Callable[[tf.Tensor], Any] = logits, batch: tf.TensorSpec = Batch
) -> Path:
    """Write a SavedModel whose signature gives `prediction`, or what a dict `answer` names."""

    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        given = answer(image)
        return given if isinstance(given, dict) else {"prediction": given}

    signature = tf.function(serve, input_signature=[batch])
    tf.saved_model.save(tf.Module(), str(directory), signatures={"serving_default": signature})
    return directory


def tf1_saved_model(directory: Path) -> Path:
    """Write a SavedModel as TF1 programs did, with a variable of the old kind in its graph."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, Batch.shape)
        scale = v1.get_variable("scale", initializer=tf.eye(3) * SHARPNESS, use_resource=False)
        answer = tf.matmul(tf.reduce_mean(image, axis=[1, 2]), scale)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(directory))
        signature = v1.saved_model.predict_signature_def({"image": image}, {"prediction": answer})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return directory


def frozen_graph(path: Path, *, batch: int | None = None) -> Path:
    """Write what the retrain program writes: `Placeholder` in, `final_result` out."""
    with tf.Graph().as_default() as graph:
        shape = (batch, SIZE, SIZE, 3)
        image = tf.compat.v1.placeholder(tf.float32, shape, name="Placeholder")
        tf.nn.softmax(logits(image), name="final_result")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def hub_module(directory: Path) -> Path:
    """Write a module that can be called with pictures of any size and has no signature."""
    module = tf.Module()
    anything = tf.TensorSpec((None, None, None, 3), tf.float32)
    module.__call__ = tf.function(logits, input_signature=[anything])
    tf.saved_model.save(module, str(directory), signatures={})
    return directory


def keras_file(path: Path, *layers: Any) -> Path:
    """Write a `.keras` file for pixels from 0 to 255; `layers` replace its last ones."""
    import keras

    network = [
        keras.Input((SIZE, SIZE, 3)),
        keras.layers.Rescaling(SHARPNESS / 255),
        keras.layers.GlobalAveragePooling2D(),
        *(layers or [keras.layers.Softmax()]),
    ]
    keras.Sequential(network).save(path)
    return path
