"""Networks of one grey channel: the picture stays RGB, and its luma reaches them."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from model_store import importers
from model_store.importers import ImportOptions

# The sigmoid of 6 times the luma of red, green and blue, by hand: 0.299, 0.587 and 0.114
# (ITU-R BT.601, as Pillow's mode L has it).
GREYS = [0.857417, 0.971307, 0.664631]
# The luma rounded to whole numbers: the sigmoid of 6 * (76, 150, 29) / 255.
ROUNDED = [0.856711, 0.971513, 0.664264]

Make = Callable[[Path], Path]


def _saved_model(directory: Path, kind: str = "float32") -> Path:
    import tensorflow as tf

    from tests import tiny_sources

    def answer(pixels: tf.Tensor) -> tf.Tensor:
        numbers = tf.cast(pixels, tf.float32) / (255 if kind == "uint8" else 1)
        return tf.sigmoid(tf.reduce_mean(numbers, axis=[1, 2]) * 6)

    batch = tf.TensorSpec((None, 8, 8, 1), kind, name="image")
    return tiny_sources.saved_model(directory, answer, batch)


def _keras_file(path: Path) -> Path:
    import keras

    layers = keras.layers
    means = [layers.Rescaling(6), layers.GlobalAveragePooling2D(), layers.Activation("sigmoid")]
    keras.Sequential([keras.Input((8, 8, 1)), *means]).save(path)
    return path


def _frozen_graph(path: Path) -> Path:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 1), name="Placeholder")
        tf.sigmoid(tf.reduce_mean(image, axis=[1, 2]) * 6, name="final_result")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def _answers(source: Path, place: Path, **options: Any) -> np.ndarray:
    import tensorflow as tf

    (place / "two.txt").write_text("dark\nbright\n")
    given = ImportOptions("x", str(place / "two.txt"), **options)
    importers.draft(str(source), given, place / "out", report=lambda _: None)
    images = np.zeros((3, 8, 8, 3), np.uint8)
    for i in range(3):
        images[i, ..., i] = 255
    model = tf.saved_model.load(str(place / "out"))
    answers: Any = model.signatures["serving_default"](images=tf.constant(images))
    return np.asarray(answers["probabilities"])[:, 1]


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize(
    ("make", "name"),
    [(_saved_model, "folder"), (_keras_file, "model.keras"), (_frozen_graph, "graph.pb")],
)
def test_a_network_of_one_grey_channel_gets_the_luma(
    make: Make, name: str, order: Any, sources: ModuleType, tmp_path: Path
) -> None:
    """Whatever file it is in, and in whatever order the channels come."""
    zero, full = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    source = make(tmp_path / name)
    answers = _answers(source, tmp_path, mean=zero, scale=full, channel_order=order)

    assert answers == pytest.approx(GREYS if order == "RGB" else GREYS[::-1], abs=1e-5)


def test_one_of_uint8_gets_whole_numbers(sources: ModuleType, tmp_path: Path) -> None:
    """Rounded, as Pillow's are."""
    answers = _answers(_saved_model(tmp_path / "source", "uint8"), tmp_path)

    assert answers == pytest.approx(ROUNDED, abs=1e-5)
