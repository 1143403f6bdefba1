"""Classifiers of Keras by name: their pixels, their weights, and what is said without internet."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from model_store import ModelStore, installers
from model_store.errors import ModelFormatError, UnknownInstallerError, WeightsUnavailableError
from model_store.pretrained import applications
from tests.conftest import free_port

# Keras computes in float32 on numbers up to 255: seven digits, so 1e-4 with room.
TOLERANCE = 1e-4


@pytest.mark.parametrize("name", applications.names())
def test_pixels_become_the_numbers_that_keras_makes_of_them(name: str) -> None:
    """The card's channel order, mean and scale against the application's `preprocess_input`."""
    keras = pytest.importorskip("keras")
    family = import_module(getattr(keras.applications, name).__module__)
    images = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype(np.float32)
    pixels, _ = applications.find(name)

    ordered = images if pixels.channel_order == "RGB" else images[..., ::-1]
    ours = (ordered - np.array(pixels.mean)) / np.array(pixels.scale)

    assert family.preprocess_input(images.copy()) == pytest.approx(ours, abs=TOLERANCE)


# Keras 3.15 copies its variables with a NumPy 1 signature when it saves them.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_an_application_is_imported_with_the_weights_of_a_file(tmp_path: Path) -> None:
    """Without internet: the network that Keras builds, the weights of the file, a whole card."""
    keras = pytest.importorskip("keras")
    import tensorflow as tf

    from model_store.installers import keras_applications

    keras.utils.set_random_seed(0)
    model, weights = keras.applications.MobileNet(weights=None), tmp_path / "mine.weights.h5"
    model.save_weights(weights)
    card = keras_applications.draft(
        "MobileNet", tmp_path / "out", name="mobilenet", weights=weights, report=lambda _: None
    )
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    answers = loaded.signatures["serving_default"](images=tf.constant(images))["probabilities"]

    assert (card.labels[967], card.origin.file) == ("espresso", "mine.weights.h5")
    assert model(images / 127.5 - 1).numpy() == pytest.approx(answers.numpy(), abs=1e-6)


def test_without_internet_the_missing_file_is_named(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One sentence says which file to bring and how to hand it over."""
    keras = pytest.importorskip("keras")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    # Keras reads KERAS_HOME once, and weights that lie there already need no internet.
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path))

    with pytest.raises(
        WeightsUnavailableError, match=r"--weights mobilenet_1_0_224_tf\.h5"
    ) as caught:
        installers.install(store, "keras:MobileNet", report=lambda _: None)
    assert "URL fetch failure" in str(caught.value)
    assert store.names() == ()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("other.h5", r"other\.h5 has no weights for MobileNet"),
        ("none.h5", "there is no file .*none"),
    ],
)
def test_weights_of_another_network_or_none_are_refused(
    name: str, sentence: str, store: ModelStore, tmp_path: Path
) -> None:
    """The sentence names the file."""
    pytest.importorskip("keras")
    (tmp_path / "other.h5").write_bytes(b"no weights")
    given = installers.Given(weights=tmp_path / name)

    with pytest.raises(ModelFormatError, match=sentence):
        installers.install(store, "keras:MobileNet", given=given, report=lambda _: None)


def test_an_unknown_application_is_answered_with_the_known_ones(store: ModelStore) -> None:
    """Keras writes its names in capitals, and they are easy to mistype."""
    with pytest.raises(UnknownInstallerError, match="'Mobilenet'; there are: ConvNeXtBase"):
        installers.install(store, "keras:Mobilenet", report=lambda _: None)
