"""What users have, turned into a SavedModel and the draft of a card, or refused in a sentence."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from model_store import ModelCard, importers
from model_store.errors import ImportOptionError, WeightsUnavailableError
from model_store.importers import ImportOptions
from tests.conftest import free_port

ZERO, FULL = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
UNIT = (1.0, 1.0, 1.0)


@pytest.fixture
def options(tmp_path: Path, sources: ModuleType) -> ImportOptions:
    """Options that fit the tiny classifiers for pixels from 0 to 1."""
    labels = sources.labels_file(tmp_path / "retrained_labels.txt")
    return ImportOptions("colours", str(labels), mean=ZERO, scale=FULL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where an import writes its SavedModel."""
    return tmp_path / "imported"


def _imported(source: str | Path, options: ImportOptions, place: Path) -> ModelCard:
    return importers.draft(str(source), options, place, report=lambda _: None)


def _answers(directory: Path) -> np.ndarray:
    """Return what the written SavedModel answers on a red, a green and a blue picture."""
    import tensorflow as tf

    images = np.zeros((3, 8, 8, 3), np.uint8)
    for i in range(3):
        images[i, ..., i] = 255
    model = tf.saved_model.load(str(directory))
    answers: Any = model.signatures["serving_default"](images=tf.constant(images))
    return np.asarray(answers["probabilities"])


# The softmax of (6, 0, 0), by hand: e^6 = 403.4288, and 403.4288 / 405.4288 = 0.995067.
BEST, OTHER = 0.995067, 0.002467
EXPECTED = np.full((3, 3), OTHER) + np.eye(3) * (BEST - OTHER)
TOLERANCE = 1e-5  # float32, and the six digits above


@pytest.mark.parametrize("maker", ["saved_model", "tf1_saved_model", "frozen_graph"])
def test_what_takes_pixels_from_0_to_1_is_imported(
    maker: str, sources: ModuleType, options: ImportOptions, tmp_path: Path, place: Path
) -> None:
    """Logits get a softmax, probabilities get none; labels and preprocessing are in the card."""
    card = _imported(getattr(sources, maker)(tmp_path / "source.pb"), options, place)

    assert _answers(place) == pytest.approx(EXPECTED, abs=TOLERANCE)
    assert (card.labels, card.preprocessing.input_size) == (sources.LABELS, 8)
    assert (card.preprocessing.mean, card.preprocessing.scale) == (ZERO, FULL)
    assert (card.origin.kind, len(card.origin.sha256)) == ("file", 64)


def test_a_network_that_gives_probabilities_gets_no_second_softmax(
    sources: ModuleType, options: ImportOptions, tmp_path: Path, place: Path
) -> None:
    """A second one would flatten every answer."""
    source = sources.saved_model(tmp_path / "source", sources.probabilities)
    _imported(source, options, place)

    assert _answers(place) == pytest.approx(EXPECTED, abs=TOLERANCE)


def test_a_network_that_takes_uint8_normalises_itself(
    sources: ModuleType, options: ImportOptions, tmp_path: Path, place: Path
) -> None:
    """Nothing is done to its pixels, and the card says so."""
    import tensorflow as tf

    def answer(image: tf.Tensor) -> tf.Tensor:
        return sources.logits(tf.cast(image, tf.float32) / 255)

    batch = tf.TensorSpec((None, 8, 8, 3), tf.uint8, name="image")
    source = sources.saved_model(tmp_path / "source", answer, batch)
    card = _imported(source, replace(options, mean=None, scale=None), place)

    assert _answers(place) == pytest.approx(EXPECTED, abs=TOLERANCE)
    assert (card.preprocessing.mean, card.preprocessing.scale) == (ZERO, UNIT)
    with pytest.raises(ImportOptionError, match="leave --mean and --std out"):
        _imported(source, options, place)


def test_a_keras_file_is_imported(
    sources: ModuleType, options: ImportOptions, tmp_path: Path, place: Path
) -> None:
    """Its own rescaling layer does the normalisation."""
    source = sources.keras_file(tmp_path / "colours.keras")
    card = _imported(source, replace(options, scale=UNIT), place)

    assert _answers(place) == pytest.approx(EXPECTED, abs=TOLERANCE)
    assert (card.origin.kind, card.origin.file) == ("keras", "colours.keras")


def test_a_hub_module_is_imported_with_the_convention_of_the_hub(
    sources: ModuleType, options: ImportOptions, tmp_path: Path, place: Path
) -> None:
    """Pixels are 0 to 1 without being said so; nothing warns about pkg_resources."""
    module = sources.hub_module(tmp_path / "module")
    given = replace(options, mean=None, scale=None, input_size=8)
    card = _imported(f"hub:{module}", given, place)

    assert _answers(place) == pytest.approx(EXPECTED, abs=TOLERANCE)
    assert (card.origin.kind, card.preprocessing.scale) == ("hub", FULL)


def test_labels_that_lie_beside_the_source_are_found(
    sources: ModuleType, options: ImportOptions, tmp_path: Path, place: Path
) -> None:
    """An exported version is published again without naming them."""
    source = sources.saved_model(tmp_path / "source")
    sources.labels_file(source / "labels.txt")

    assert _imported(source, replace(options, labels=None), place).labels == sources.LABELS


def test_a_frozen_graph_with_a_fixed_batch_takes_any(
    sources: ModuleType, options: ImportOptions, tmp_path: Path, place: Path
) -> None:
    """Its placeholder is replaced, so that a batch of three is answered."""
    _imported(sources.frozen_graph(tmp_path / "graph.pb", batch=1), options, place)

    assert _answers(place).shape == (3, 3)


def test_a_handle_that_cannot_be_fetched_says_what_to_do(
    options: ImportOptions, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No traceback, no long wait."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))

    with pytest.raises(WeightsUnavailableError, match="download and unpack it"):
        _imported(f"http://127.0.0.1:{free_port()}/classifier/1", options, place)


def test_a_server_that_says_nothing_is_given_up(
    sources: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The limit is on silence, so a slow download goes on."""
    import socket

    from model_store.importers import hub_module

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/classifier/1"

        with pytest.raises(WeightsUnavailableError, match="timed out"):
            hub_module.fetch(address, silence_seconds=0.2)
