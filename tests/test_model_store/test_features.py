"""The features of a network as its further output, in every runtime and precision."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store import ModelCard, ModelStore, drawings, pipeline, runtimes
from model_store.card import Origin, PreprocessingSpec
from model_store.doubts.section import Calibration, Trust
from model_store.importers import saving
from model_store.picture_sets import Pictures, PictureSets

tf = pytest.importorskip("tensorflow")

SIZE, WIDTH = 32, 27
SPEC = PreprocessingSpec(input_size=SIZE, crop_fraction=1.0)
LABELS = ("a", "b", "c")


def _features(images: "tf.Tensor") -> "tf.Tensor":
    parts = tf.nn.avg_pool2d(tf.cast(images, tf.float32) / 255, 11, 11, "SAME")
    return tf.reshape(parts, (-1, WIDTH))


def _answer(images: "tf.Tensor") -> "dict[str, tf.Tensor]":
    weights = np.random.default_rng(0).normal(0, 2, (WIDTH, 3)).astype(np.float32)
    features = _features(images)
    rows = (features @ weights + np.float32(0.1)) / np.float32(1.3)
    return {"probabilities": tf.nn.softmax(rows), "features": features}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Drawn pictures, [60, 32, 32, 3]."""
    return drawings.textures(60, input_size=SIZE, seed=3)


@pytest.fixture(scope="module")
def version(
    tmp_path_factory: pytest.TempPathFactory, pictures: np.ndarray
) -> tuple[Path, ModelCard]:
    """The files and the card of a version with int8, made of a SavedModel with features."""
    root = tmp_path_factory.mktemp("features")
    saving.write_described(_answer, SPEC, root / "draft")
    origin = Origin(kind="training", source="a test")
    draft = ModelCard("tiny", LABELS, SPEC, (), "MIT", origin)
    unlabelled = Pictures.unlabelled(pictures)
    sets = PictureSets(calibration=unlabelled, judged=unlabelled, real=True)
    store = ModelStore.open(str(root / "store"))
    card = pipeline.publish(store, root / "draft", draft, sets=sets, report=lambda text: None)
    return store.fetch("tiny", 1), card


def test_every_runtime_gives_the_same_features(
    version: tuple[Path, ModelCard], pictures: np.ndarray
) -> None:
    """Float32 to 1e-4; int8 has them as well, with the error of its activations."""
    directory, card = version
    expected = _features(pictures).numpy()
    bars = {"float32": 1e-4, "int8": 0.05}
    for variant in card.variants:
        artifact = runtimes.load(variant.runtime, directory / variant.path, card, threads=1)
        rows = runtimes.describe(artifact, pictures)

        assert rows.features is not None, variant.choice
        assert np.abs(rows.features - expected).max() < bars[variant.precision], variant.choice
        assert np.array_equal(rows.probabilities, artifact.predict(pictures)), variant.choice


def test_tensorflow_serving_gets_the_answers_that_it_got(version: tuple[Path, ModelCard]) -> None:
    """The usual signature has one output; the features have one of their own."""
    loaded = tf.saved_model.load(str(version[0]))

    assert list(loaded.signatures["serving_default"].structured_outputs) == ["probabilities"]


def test_the_weights_are_stored_once(version: tuple[Path, ModelCard], tmp_path: Path) -> None:
    """Two signatures are no two copies of the network."""
    document = version[0] / "saved_model.pb"
    weights = np.random.default_rng(0).normal(0, 2, (WIDTH, 3)).astype(np.float32).tobytes()

    assert document.read_bytes().count(weights) == 1


def test_a_temperature_of_the_card_is_served_by_every_runtime(
    version: tuple[Path, ModelCard], pictures: np.ndarray
) -> None:
    """A network that knows nothing of it is loaded with it."""
    directory, card = version
    calibration = Calibration(2.0, "after the network", 100, 0.1, 0.01, 100)
    calibrated = replace(card, trust=Trust(calibration=calibration))
    plain = _answer(pictures)["probabilities"].numpy()
    expected = np.sqrt(plain) / np.sqrt(plain).sum(axis=1, keepdims=True)
    for variant in (each for each in card.variants if each.precision == "float32"):
        path = directory / variant.path
        artifact = runtimes.load(variant.runtime, path, calibrated, threads=1)

        assert np.abs(artifact.predict(pictures) - expected).max() < 1e-4, variant.choice
