"""Keras files of every generation, and networks as people really train them."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from model_store import ModelCard, importers
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import ImportOptions

ZERO, UNIT = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
# The softmax of (6, 0, 0), by hand; see test_importers.
BEST, OTHER = 0.995067, 0.002467
EXPECTED = np.full((3, 3), OTHER) + np.eye(3) * (BEST - OTHER)
HALF_PRECISION = 5e-3  # three digits

Import = Callable[..., tuple[ModelCard, np.ndarray, list[str]]]


@pytest.fixture
def imported(tmp_path: Path, sources: ModuleType) -> Import:
    """A function that imports: card, answers to red, green and blue, and what it said."""

    def run(
        source: Path, labels: str = "red\ngreen\nblue", **options: Any
    ) -> tuple[ModelCard, np.ndarray, list[str]]:
        (tmp_path / "given.txt").write_text(labels)
        said: list[str] = []
        given = ImportOptions("x", str(tmp_path / "given.txt"), mean=ZERO, scale=UNIT, **options)
        card = importers.draft(str(source), given, tmp_path / "out", report=said.append)
        return card, _answers(tmp_path / "out"), said

    return run


def _answers(directory: Path) -> np.ndarray:
    import tensorflow as tf

    images = np.zeros((3, 8, 8, 3), np.uint8)
    for i in range(3):
        images[i, ..., i] = 255
    model = tf.saved_model.load(str(directory))
    return np.asarray(model.signatures["serving_default"](tf.constant(images))["probabilities"])


def _network(library: ModuleType, *last: Any, first: tuple[Any, ...] = ()) -> Any:
    """Return the network of `tiny_sources` in a library; `last` replaces its softmax."""
    layers = library.layers
    return library.Sequential(
        [
            layers.Input((8, 8, 3)),
            *first,
            layers.Rescaling(6 / 255),
            layers.GlobalAveragePooling2D(),
            *(last or [layers.Softmax()]),
        ]
    )


def _keras_2(path: Path) -> Path:
    import tf_keras

    # What Teachable Machine writes: HDF5 with a depthwise layer, which Keras 3 cannot read.
    ones = tf_keras.initializers.Ones()
    depthwise = tf_keras.layers.DepthwiseConv2D(1, depthwise_initializer=ones)
    _network(tf_keras, first=(depthwise,)).save(path)
    return path


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", ["keras_model.h5", "model.keras"])
def test_keras_2_is_read_by_keras_2(name: str, imported: Import, tmp_path: Path) -> None:
    """With the numbered labels that Teachable Machine puts beside it."""
    card, answers, _ = imported(_keras_2(tmp_path / name), "0 red\n1 green\n2 blue\n")

    assert answers == pytest.approx(EXPECTED, abs=1e-5)
    assert card.labels == ("red", "green", "blue")
    assert card.origin.source.startswith("Keras 2.")


def test_hdf5_is_known_by_its_bytes(imported: Import, sources: ModuleType, tmp_path: Path) -> None:
    """Whatever its name ends with."""
    import keras

    _network(keras).save(tmp_path / "model.h5")
    (tmp_path / "model.h5").rename(tmp_path / "model.keras")
    card, answers, _ = imported(tmp_path / "model.keras")

    assert answers == pytest.approx(EXPECTED, abs=1e-5)
    assert "(HDF5)" in card.origin.source


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
@pytest.mark.parametrize(
    ("activation", "sentence"), [("sigmoid", "is a probability"), (None, "gets a sigmoid")]
)
def test_one_number_becomes_two_labels(
    activation: str | None, sentence: str, imported: Import, sources: ModuleType, tmp_path: Path
) -> None:
    """It is the second label's: Keras numbers folders by name, and 1 is the second."""
    import keras

    network = _network(keras, keras.layers.Dense(1, activation=activation))
    network.set_weights([np.array([[1.0], [0.0], [-1.0]]), np.zeros(1)])
    network.save(tmp_path / "model.keras")
    card, answers, said = imported(tmp_path / "model.keras", "cold\nwarm")

    # sigmoid(6) = 0.997527 for red, sigmoid(0) for green, sigmoid(-6) for blue.
    assert answers[:, 1] == pytest.approx([0.997527, 0.5, 0.002473], abs=1e-5)
    assert answers.sum(axis=1) == pytest.approx(1)
    assert card.labels == ("cold", "warm")
    assert any(sentence in line for line in said)


@pytest.mark.parametrize("kind", ["file", "export"])
def test_augmentation_is_switched_off_and_said(
    kind: str, imported: Import, sources: ModuleType, tmp_path: Path
) -> None:
    """Keras leaves it on in an export: each answer would be another."""
    import keras

    first = (
        keras.layers.RandomTranslation(0.9, 0.9, fill_mode="constant"),
        keras.layers.RandomBrightness(0.9),
    )
    network, source = _network(keras, first=first), tmp_path / "model.keras"
    if kind == "file":
        network.save(source)
    else:
        network.export(source, verbose=False)
    _, answers, said = imported(source)

    assert answers == pytest.approx(EXPECTED, abs=1e-5)
    assert any("Switched off its augmentation: " in line for line in said)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_mixed_precision_is_imported(
    library: str, imported: Import, sources: ModuleType, tmp_path: Path
) -> None:
    """Layers of half precision answer in float32 in the end."""
    module = __import__(library)
    layers, half = module.layers, "mixed_float16"
    last = layers.GlobalAveragePooling2D(dtype=half), layers.Softmax(dtype=half)
    module.Sequential([layers.Input((8, 8, 3)), layers.Rescaling(6 / 255, dtype=half), *last]).save(
        tmp_path / "model.keras"
    )
    _, answers, _ = imported(tmp_path / "model.keras")

    assert answers == pytest.approx(EXPECTED, abs=HALF_PRECISION)


def test_half_precision_input_is_given_float32(
    imported: Import, sources: ModuleType, tmp_path: Path
) -> None:
    """Pixels are cast inside."""
    import tensorflow as tf

    batch = tf.TensorSpec((None, 8, 8, 3), tf.float16, name="image")
    source = sources.saved_model(tmp_path / "s", lambda x: sources.logits(x / 255), batch)
    _, answers, _ = imported(source)

    assert answers == pytest.approx(EXPECTED, abs=HALF_PRECISION)


def _functional(path: Path, *, inputs: int, outputs: int) -> Path:
    import keras

    pictures, number = keras.Input((8, 8, 3), name="pictures"), keras.Input((3,), name="age")
    logits = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(6 / 255)(pictures))
    if inputs == 2:
        logits = keras.layers.Add()([logits, number])
    kind = keras.layers.Softmax(name="kind")(logits)
    size = keras.layers.Softmax(name="size")(logits * -1.0)
    taken = [pictures, number][:inputs]
    keras.Model(taken, [kind, size][:outputs]).save(path)
    return path


def test_one_of_several_outputs_is_named(
    imported: Import, sources: ModuleType, tmp_path: Path
) -> None:
    """The refusal lists them, with the option that mends it."""
    source = _functional(tmp_path / "model.keras", inputs=1, outputs=2)
    with pytest.raises(ImportOptionError) as caught:
        imported(source)
    assert "2 outputs, 'kind' [N, 3], 'size' [N, 3]" in str(caught.value)
    assert "--output-layer kind" in str(caught.value)

    assert imported(source, output_layer="kind")[1] == pytest.approx(EXPECTED, abs=1e-5)


def test_several_inputs_are_refused(imported: Import, sources: ModuleType, tmp_path: Path) -> None:
    """A client sends a picture and nothing else."""
    source = _functional(tmp_path / "model.keras", inputs=2, outputs=1)

    with pytest.raises(ModelFormatError, match=r"2 inputs, 'pictures' .*, 'age' .*make the others"):
        imported(source)


def _zip(path: Path, config: Any) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "2.15.0"}')
        archive.writestr("config.json", json.dumps(config))
    return path


def _weights(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["layer_names"] = [b"dense"]
    return path


def _lambda_in_hdf5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps({"config": [{"class_name": "Lambda"}]})
    return path


@pytest.mark.parametrize(
    ("maker", "sentence"),
    [
        (_weights, "holds weights and no network"),
        (_lambda_in_hdf5, "a Python function (a Lambda layer)"),
        (lambda p: _zip(p, {"class_name": "Own", "module": "mine"}), "'Own' of 'mine'"),
        (
            lambda p: _zip(p, {"class_name": "Sequential", "module": "keras"}),
            "what Keras 2.15.0 wrote",
        ),
    ],
)
def test_a_keras_file_that_cannot_be_read_says_why(
    maker: Callable[[Path], Path],
    sentence: str,
    imported: Import,
    sources: ModuleType,
    tmp_path: Path,
) -> None:
    """The Keras 2 that reads HDF5 would run a Lambda layer, so it is never asked to."""
    with pytest.raises(ModelFormatError) as caught:
        imported(maker(tmp_path / "model.h5"))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("files", "use files, the network or Python (WriteFile)"),
        ("chance", "to the same pictures changes by"),
    ],
)
def test_a_graph_that_reaches_out_or_draws_is_refused(
    name: str, sentence: str, imported: Import, sources: ModuleType, tmp_path: Path
) -> None:
    """It would write files in every worker, or answer differently each time."""
    import tensorflow as tf

    def files(pixels: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "written"), "x")]):
            return sources.logits(pixels)

    def chance(pixels: tf.Tensor) -> tf.Tensor:
        return sources.logits(pixels) + tf.random.uniform((3,)) * 9

    source = sources.saved_model(tmp_path / "s", {"files": files, "chance": chance}[name])
    with pytest.raises(ModelFormatError) as caught:
        imported(source)
    assert sentence in str(caught.value)
    assert not (tmp_path / "written").exists()


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_small_logits_are_told_by_the_operation_that_gives_them(
    imported: Import, sources: ModuleType, tmp_path: Path
) -> None:
    """All between 0 and 1 on drawn pictures, and yet no probabilities."""
    import keras

    network = _network(keras, keras.layers.Dense(3, activation=None))
    network.set_weights([np.eye(3) / 6, np.zeros(3)])
    network.save(tmp_path / "model.keras")
    _, answers, said = imported(tmp_path / "model.keras")

    # The softmax of (1, 0, 0): e / (e + 2).
    assert answers.diagonal() == pytest.approx(0.576117, abs=1e-5)
    assert "It gives logits, which get a softmax" in said
