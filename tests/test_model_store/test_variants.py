"""Variants that are made, measured and judged when a version is published."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model_store import ModelCard, PreprocessingSpec, variants
from model_store.variants import Measurement


def test_every_runtime_gets_a_measured_variant(tiny_saved_model: Path, draft: ModelCard) -> None:
    """The reference comes first, and float32 variants agree with it."""
    card = replace(draft, labels=tuple("abcde"), preprocessing=PreprocessingSpec(32, 1.0))
    images = variants.textures(3, input_size=32)

    made = variants.make(tiny_saved_model, card, images=images, report=lambda _: None)

    assert [variant.runtime for variant in made] == ["tensorflow", "litert", "openvino"]
    assert all(variant.serves and variant.milliseconds_per_image > 0 for variant in made)
    assert all((tiny_saved_model / variant.path).exists() for variant in made)


def test_a_variant_with_another_best_label_may_not_serve() -> None:
    """The numbers and the reason stay in the card."""
    reference = Measurement(np.array([[0.6, 0.4], [0.6, 0.4]], np.float32), 10.0)
    measured = Measurement(np.array([[0.6, 0.4], [0.4, 0.6]], np.float32), 1.0)

    judged = variants.judge("quick", "quick/model", measured, reference)

    assert (judged.serves, judged.same_top1) == (False, 0.5)
    assert "does not agree" in judged.reason


def test_a_variant_that_is_off_by_little_more_than_the_bar_may_not_serve() -> None:
    """Probabilities have to be within 0.001 of the SavedModel's."""
    reference = Measurement(np.array([[0.6, 0.4]], np.float32), 10.0)
    near = Measurement(np.array([[0.6009, 0.3991]], np.float32), 1.0)
    far = Measurement(np.array([[0.6011, 0.3989]], np.float32), 1.0)

    judged = [variants.judge("quick", "model", measured, reference) for measured in (near, far)]

    assert [variant.serves for variant in judged] == [True, False]


def test_drawn_pictures_are_the_same_each_time() -> None:
    """Two publishers measure on the same pictures, which all differ."""
    first, second = variants.textures(4, input_size=64), variants.textures(4, input_size=64)

    assert np.array_equal(first, second)
    assert ((4, 64, 64, 3), np.uint8) == (first.shape, first.dtype)
    assert first.std(axis=(1, 2, 3)).min() > 20
