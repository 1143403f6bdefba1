"""Changed views: the same for the same seed, different otherwise, and never a second decoder."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from model_store import PreprocessingSpec
from model_store.preprocessing import prepare
from tests.test_training.conftest import draw, encode
from training.pictures.augmentation import Augmentation, Pieces, piece, view

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


def test_pieces_differ_and_stay_what_they_are() -> None:
    """Every number is another piece, and a second run sees the same ones."""
    upload = encode(draw(7, side=90))
    pieces = Pieces(least_area=0.35, flip_left_right=True, seed=0)
    found = [piece(upload, SPEC, pieces, number).tobytes() for number in range(8)]

    assert len(set(found)) == 8
    assert found == [piece(upload, SPEC, pieces, number).tobytes() for number in range(8)]


@pytest.mark.parametrize("least_area", [0.05, 0.5, 1.0])
def test_a_piece_covers_what_was_asked_for(least_area: float) -> None:
    """On a ramp from 0 to 255 the width of a piece can be read from its columns."""
    ramp = np.tile(np.linspace(0, 255, 200).astype(np.uint8)[None, :, None], (200, 1, 3))
    upload = encode(Image.fromarray(ramp))
    pieces = Pieces(least_area, flip_left_right=False, seed=3)
    spans = [np.ptp(piece(upload, SPEC, pieces, number)) / 255 for number in range(40)]

    # The side of a square of that area, less a quarter for the shape and some for the resize.
    assert min(spans) >= np.sqrt(least_area) * np.sqrt(3 / 4) - 0.05
    assert max(spans) > 0.9
    assert (max(spans) - min(spans) > 0.3) == (least_area < 1)


def test_a_long_picture_has_pieces_too() -> None:
    """Where no piece of the asked area fits, the largest square is taken somewhere."""
    upload = encode(draw(8, side=200).resize((800, 20)))
    pieces = Pieces(least_area=0.9, flip_left_right=True, seed=0)

    assert piece(upload, SPEC, pieces, 0).shape == (32, 32, 3)
    assert (piece(upload, SPEC, pieces, 0) != piece(upload, SPEC, pieces, 1)).any()


def test_pieces_are_mirrored_only_if_they_may_be() -> None:
    """Left and right stay where they are when they mean something."""
    ramp = np.tile(np.linspace(0, 255, 90).astype(np.uint8)[None, :, None], (90, 1, 3))
    upload = encode(Image.fromarray(ramp))

    def rising(*, flip: bool) -> int:
        pieces = Pieces(least_area=0.5, flip_left_right=flip, seed=0)
        columns = (piece(upload, SPEC, pieces, n)[0, :, 0].astype(int) for n in range(40))
        return sum(bool(column[-1] > column[0]) for column in columns)

    assert rising(flip=False) == 40
    assert 10 < rising(flip=True) < 30


def test_a_piece_has_the_channels_in_the_order_of_the_network() -> None:
    """A network that was trained on BGR gets BGR, mirrored or not."""
    upload = encode(draw(9, (200, 40, 10), side=90))
    pieces = Pieces(least_area=0.5, flip_left_right=True, seed=0)
    other = replace(SPEC, channel_order="BGR")
    for number in range(6):
        found = piece(upload, SPEC, pieces, number)
        assert (piece(upload, other, pieces, number) == found[..., ::-1]).all()
