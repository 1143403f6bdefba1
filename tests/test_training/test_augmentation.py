"""Changed views: the same for the same seed, different otherwise, and never a second decoder."""

import numpy as np
import pytest
from PIL import Image

from model_store import PreprocessingSpec
from model_store.preprocessing import prepare
from tests.test_training.conftest import draw, encode
from training.augmentation import Augmentation, view

SPEC = PreprocessingSpec(input_size=32, crop_fraction=0.875)


def test_nothing_asked_for_is_the_plain_picture() -> None:
    """A view without changes has exactly the pixels that serving sees."""
    upload = encode(draw(3, side=90), "JPEG")

    assert (view(upload, SPEC, Augmentation(), 0) == prepare(upload, SPEC)).all()


@pytest.mark.parametrize(
    "changes",
    [
        Augmentation(random_crop=30),
        Augmentation(random_scale=50),
        Augmentation(random_brightness=40),
        Augmentation(flip_left_right=True),
    ],
)
def test_views_differ_from_each_other_and_stay_what_they_are(changes: Augmentation) -> None:
    """Each flag alone changes something, and a second run sees the same views."""
    upload = encode(draw(4, side=90))
    views = [view(upload, SPEC, changes, number).tobytes() for number in range(8)]

    assert len(set(views)) > 1
    assert views == [view(upload, SPEC, changes, number).tobytes() for number in range(8)]


def test_another_seed_gives_other_views() -> None:
    """The seed is part of what decides."""
    upload = encode(draw(5))
    one, other = (view(upload, SPEC, Augmentation(random_crop=40, seed=s), 0) for s in (1, 2))

    assert (one != other).any()


def test_a_mirrored_view_is_the_mirror() -> None:
    """Of many views about half are mirrored, and the others are the picture itself."""
    upload = encode(draw(6, side=90))
    plain = prepare(upload, SPEC).astype(int)
    differences = [
        (
            np.abs(found.astype(int) - plain).max(),
            np.abs(found.astype(int) - plain[:, ::-1]).max(),
        )
        for found in (view(upload, SPEC, Augmentation(flip_left_right=True), n) for n in range(40))
    ]

    # One level of rounding, because the mirror comes before the resize.
    assert all(min(pair) <= 1 for pair in differences)
    assert 8 <= sum(pair[1] <= 1 for pair in differences) <= 32


def test_brightness_stays_within_its_percentage() -> None:
    """Multiplied by 0.8 to 1.2, as retrain.py did with 20."""
    upload = encode(Image.new("RGB", (64, 64), (100, 100, 100)))
    levels = {
        int(view(upload, SPEC, Augmentation(random_brightness=20), n).max()) for n in range(50)
    }

    assert 80 <= min(levels) < 85
    assert 115 < max(levels) <= 120
