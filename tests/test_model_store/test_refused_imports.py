"""Sources that cannot be served: each is refused with what was found and what was expected."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from model_store import importers
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import ImportOptions, labels

ZERO, FULL = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)


@pytest.fixture
def options(tmp_path: Path, sources: ModuleType) -> ImportOptions:
    """Options that fit the tiny classifiers."""
    path = sources.labels_file(tmp_path / "labels.txt")
    return ImportOptions("colours", str(path), mean=ZERO, scale=FULL)


@pytest.fixture
def refusal(tmp_path: Path, options: ImportOptions) -> Callable[..., str]:
    """A function that imports a source and returns the sentence it is refused with."""

    def refuse(source: Path, error: type[Exception] = ModelFormatError, **changes: Any) -> str:
        given = replace(options, **changes)
        with pytest.raises(error) as caught:
            importers.draft(str(source), given, tmp_path / "out", report=lambda _: None)
        return str(caught.value)

    return refuse


def _answers(name: str) -> Callable[[Any], Any]:
    """Return a network that is wrong in the way of that name."""
    import tensorflow as tf

    from tests.tiny_sources import logits

    return {
        "sigmoid": lambda x: tf.sigmoid(logits(x)),
        "one number": lambda x: logits(x)[:, :1],
        "a picture": lambda x: {"mask": x},
        "two outputs": lambda x: {"logits": logits(x), "features": logits(x) * 2},
        "not finite": lambda x: logits(x) / 0.0,
        "a mixed batch": lambda x: logits(x) - tf.reduce_mean(logits(x), axis=0),
        "a batch of one": lambda x: tf.ensure_shape(logits(x), (1, 3)),
    }[name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sigmoid", "sum to 1.500 to 2.993: a sigmoid judges each label by itself"),
        ("one number", "has 3 labels and the network gives 2 numbers"),
        ("a picture", "gives 'mask' (float32 (None, 8, 8, 3)); expected one output [N, classes]"),
        ("two outputs", "or its name with --output-layer"),
        ("not finite", "numbers that are not finite"),
        ("a mixed batch", "with the other pictures of a batch"),
        ("a batch of one", "the network fails on 6 pictures at once"),
    ],
)
def test_a_network_that_is_no_classifier_is_refused(
    name: str,
    sentence: str,
    sources: ModuleType,
    refusal: Callable[..., str],
    tmp_path: Path,
) -> None:
    """The sentence says what it gives instead."""
    source = sources.saved_model(tmp_path / "source", _answers(name))

    assert sentence in refusal(source)


@pytest.mark.parametrize(
    ("shape", "dtype", "sentence"),
    [
        ((1, 8, 8, 3), "float32", "takes exactly 1 pictures at a time [1, 8, 8, 3]"),
        ((None, 3, 8, 8), "float32", "is float32 [N, 3, 8, 8]; expected one batch of pictures"),
        ((None, 8, 4, 3), "float32", "[N, 8, 4, 3]; expected square pictures. Where it was made"),
        ((None, 192), "float32", "is float32 [N, 192]; expected one batch of pictures"),
        ((None, 8, 8, 3), "float64", "is float64 [N, 8, 8, 3]; expected one batch of pictures"),
        ((None,), "string", "is string [N]; expected one batch of pictures, uint8 or float32"),
    ],
)
def test_an_input_that_is_no_batch_of_pictures_is_refused(
    shape: tuple[int | None, ...],
    dtype: str,
    sentence: str,
    sources: ModuleType,
    refusal: Callable[..., str],
    tmp_path: Path,
) -> None:
    """The sentence gives its type and shape."""
    import tensorflow as tf

    batch = tf.TensorSpec(shape, dtype, name="image")
    source = sources.saved_model(tmp_path / "source", lambda _: tf.zeros((1, 3)), batch)

    assert sentence in refusal(source)


def test_an_input_of_any_size_needs_one(
    sources: ModuleType, refusal: Callable[..., str], tmp_path: Path
) -> None:
    """The network was trained on one, which only its maker knows."""
    import tensorflow as tf

    batch = tf.TensorSpec((None, None, None, 3), tf.float32, name="image")
    source = sources.saved_model(tmp_path / "source", batch=batch)

    assert "in pixels with --input-size" in refusal(source, ImportOptionError)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mean": None}, "say with --mean and --std how 0 to 255 become its numbers"),
        ({"labels": None}, "the network has 3 classes and no labels; give --labels"),
        ({"input_size": 16}, "--input-size 16 does not fit"),
        ({"name": "My Model"}, "--name is 'My Model'; use at most 64 lower-case letters"),
    ],
)
def test_an_option_that_is_missing_or_wrong_is_named(
    changes: dict[str, Any],
    sentence: str,
    sources: ModuleType,
    refusal: Callable[..., str],
    tmp_path: Path,
) -> None:
    """Guessing them would give a model that answers nonsense."""
    source = sources.saved_model(tmp_path / "source")

    assert sentence in refusal(source, ImportOptionError, **changes)


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ({"input_layer": "input"}, "no tensor 'input'; plausible for --input_layer: Placeholder"),
        ({"output_layer": "softmax"}, "plausible for --output_layer: final_result"),
    ],
)
def test_a_wrong_tensor_name_is_answered_with_the_plausible_ones(
    layers: dict[str, str],
    sentence: str,
    sources: ModuleType,
    refusal: Callable[..., str],
    tmp_path: Path,
) -> None:
    """Old programs gave their tensors many names."""
    source = sources.frozen_graph(tmp_path / "graph.pb")

    assert sentence in refusal(source, **layers)


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("Lambda", "a Python function (a Lambda layer)"),
        ("Own", "a class that is no part of Keras"),
    ],
)
def test_a_keras_file_with_code_of_its_own_is_refused(
    layer: str,
    sentence: str,
    sources: ModuleType,
    refusal: Callable[..., str],
    tmp_path: Path,
) -> None:
    """Nothing that a file brings is run here."""
    import keras

    class Own(keras.layers.Softmax):
        """A layer that only its author has."""

    last = keras.layers.Lambda(lambda x: x * 2) if layer == "Lambda" else Own()
    source = sources.keras_file(tmp_path / "foreign.keras", last)

    assert sentence in refusal(source)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("model.h5", "it is no Keras file, neither a zip with config.json"),
        ("model.pkl", "it is a Python pickle, whose code would run here"),
        (
            "model.zip",
            "expected a SavedModel directory, a Keras file (.keras or .h5), a frozen graph",
        ),
        ("saved_model.pb", "is part of a SavedModel; publish its folder"),
        ("graph.pb", "is no frozen TensorFlow graph"),
        ("model.keras", "model.keras cannot be published"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    name: str, sentence: str, refusal: Callable[..., str], tmp_path: Path
) -> None:
    """Each with what to do instead."""
    path = tmp_path / name
    path.write_bytes(b"no model at all")

    assert sentence in refusal(path)


def test_keras_itself_does_not_run_code_of_a_file(sources: ModuleType, tmp_path: Path) -> None:
    """Behind the check that comes before, which this test leaves out: its safe mode is on."""
    import keras

    from model_store.importers import keras_archives, keras_file

    last = keras.layers.Lambda(lambda x: x * 2)
    path = sources.keras_file(tmp_path / "foreign.keras", last)
    archive = keras_archives.KerasArchive(path, keras.__version__, is_hdf5=False)

    with pytest.raises(ModelFormatError, match="cannot be published"):
        keras_file.load(archive)


def test_nothing_and_an_empty_folder_are_refused(
    refusal: Callable[..., str], tmp_path: Path
) -> None:
    """The sentence lists what is accepted."""
    assert "there is no" in refusal(tmp_path / "nothing")
    assert "has no saved_model.pb" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("red\ngreen\n", "has 2 labels and the network gives 3 numbers"),
        ("red\nred\nblue\n", "line 1 and line 2 are both 'red'"),
        ("red\n\nblue\n", "has 2 labels and the network gives 3 numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(text: str, sentence: str, tmp_path: Path) -> None:
    """The sentence names the lines, or both numbers."""
    (tmp_path / "labels.txt").write_text(text)

    with pytest.raises(ModelFormatError, match=sentence):
        labels.find(None, tmp_path, classes=3)


def test_imagenet_has_labels_with_and_without_background() -> None:
    """The networks of TF-Slim have a class 0 before the thousand."""
    assert labels.find("imagenet", None, classes=1000)[967] == "espresso"
    assert labels.find("imagenet", None, classes=1001)[968] == "espresso"
