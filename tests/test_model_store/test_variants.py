"""Variants that are made, measured and judged when a version is published."""

import pytest

from model_store import ModelCard, ModelStore, Variant


def _by_choice(store: ModelStore, reference: str) -> dict[str, Variant]:
    card = store.card(*store.resolve(reference))
    return {variant.choice: variant for variant in card.variants}


@pytest.fixture
def with_pictures(tiny_store: ModelStore) -> dict[str, Variant]:
    """The variants of the version that was published with pictures."""
    return _by_choice(tiny_store, "tiny@1")


@pytest.fixture
def without_pictures(tiny_store: ModelStore) -> dict[str, Variant]:
    """The variants of the version that was published without."""
    return _by_choice(tiny_store, "tiny@2")


def test_every_runtime_gets_its_variants(with_pictures: dict[str, Variant]) -> None:
    """The reference comes first; each has its measured speed."""
    precisions = ["float32", "litert:float32", "litert:int8", "openvino:float32", "openvino:int8"]

    assert ["tensorflow:float32", *precisions[1:]] == list(with_pictures)
    assert all(variant.milliseconds_per_image > 0 for variant in with_pictures.values())


def test_float32_variants_agree_with_the_saved_model(with_pictures: dict[str, Variant]) -> None:
    """On the golden pictures, those that were given, and those that int8 was calibrated on."""
    for choice in ("litert:float32", "openvino:float32"):
        assert (with_pictures[choice].serves, with_pictures[choice].same_top1) == (True, 1.0)
        assert "on 165 pictures" in with_pictures[choice].reason
        assert with_pictures[choice].tolerance == 1e-3


def test_int8_variants_are_judged_on_given_pictures(with_pictures: dict[str, Variant]) -> None:
    """All sixty of them: too few to calibrate on a half and judge on the other."""
    for choice in ("litert:int8", "openvino:int8"):
        assert with_pictures[choice].serves
        assert with_pictures[choice].same_top1 >= 0.97
        assert "on 60 pictures that it was not calibrated on" in with_pictures[choice].reason
        assert "on 60 labelled ones" in with_pictures[choice].reason


def test_without_pictures_int8_is_recorded_but_does_not_serve(
    without_pictures: dict[str, Variant], tiny_store: ModelStore
) -> None:
    """The card says what to do; the files are not kept."""
    folder = tiny_store.fetch("tiny", 2)
    for choice in ("litert:int8", "openvino:int8"):
        variant = without_pictures[choice]
        assert not variant.serves
        assert "publish with --calibration" in variant.reason
        assert not (folder / variant.path).exists()


def test_nothing_else_is_left_in_a_version(tiny_store: ModelStore) -> None:
    """Converters and NNCF write no files of their own."""
    card = tiny_store.card("tiny", 1)
    folders = {path.partition("/")[0] for path in card.files}

    assert folders <= {
        *("saved_model.pb", "fingerprint.pb", "variables", "assets"),
        *("golden", "litert", "openvino"),
    }


def test_the_golden_pictures_come_with_the_version(
    tiny_draft: ModelCard, tiny_store: ModelStore
) -> None:
    """Pictures, pixels and probabilities are files like others, with their digests."""
    card = tiny_store.card("tiny", 1)

    assert len(card.golden) == 5
    assert {*card.golden, "golden/pixels.npy", "golden/probabilities.npy"} <= card.files.keys()
