"""Which pictures int8 is calibrated on and judged on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_store import ModelCard, drawings, picture_sets
from model_store.errors import CalibrationError
from model_store.picture_sets import UNKNOWN


def _ignore(_: str) -> None:
    """Report nothing."""


def test_pictures_are_read_through_the_real_preprocessing(
    pictures_directory: Path, tiny_draft: ModelCard
) -> None:
    """Sixty of them, the first five of which show the five classes."""
    pictures = picture_sets.read(pictures_directory, tiny_draft, _ignore)

    assert ((60, 32, 32, 3), np.uint8) == (pictures.images.shape, pictures.images.dtype)
    assert np.bincount(pictures.class_indices).tolist() == [12] * 5


def test_bad_files_are_skipped_and_named(pictures_directory: Path, tiny_draft: ModelCard) -> None:
    """One line for each, with the reason."""
    lines: list[str] = []
    picture_sets.read(pictures_directory, tiny_draft, lines.append)

    skipped = [line for line in lines if line.startswith("Skipped")]
    assert [line.partition(":")[0] for line in skipped] == ["Skipped notes.txt", "Skipped half.png"]


def test_folders_that_are_no_labels_say_nothing(tmp_path: Path, tiny_draft: ModelCard) -> None:
    """Such pictures are compared, but nobody knows what they show."""
    Image.new("RGB", (40, 40)).save(tmp_path / "one.png")

    assert picture_sets.read(tmp_path, tiny_draft, _ignore).class_indices.tolist() == [UNKNOWN]


def test_a_directory_without_a_picture_is_refused(tmp_path: Path, tiny_draft: ModelCard) -> None:
    """The message says how many files there were."""
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(CalibrationError, match="has 1 files, but no picture"):
        picture_sets.choose(tiny_draft, tmp_path, _ignore)


def test_without_pictures_drawn_ones_are_used(tiny_draft: ModelCard) -> None:
    """They are calibrated on and compared on, but do not suffice."""
    sets = picture_sets.choose(tiny_draft, None, _ignore)

    assert (len(sets.calibration), len(sets.judged), sets.real) == (100, 32, False)


def test_too_few_pictures_for_two_halves_are_for_judging(
    pictures_directory: Path, tiny_draft: ModelCard
) -> None:
    """Drawn ones are for calibration then."""
    sets = picture_sets.choose(tiny_draft, pictures_directory, _ignore)

    assert (len(sets.calibration), len(sets.judged), sets.real) == (100, 60, True)


def test_no_picture_is_in_both_halves(tmp_path: Path, tiny_draft: ModelCard) -> None:
    """Of very many pictures 400 are taken, evenly, and every second one is for calibration."""
    for i, image in enumerate(drawings.textures(410, input_size=32)):
        Image.fromarray(image).save(tmp_path / f"{i:03}.bmp")
    sets = picture_sets.choose(tiny_draft, tmp_path, _ignore)

    images = np.concatenate([sets.calibration.images, sets.judged.images])
    assert (len(sets.calibration), len(sets.judged)) == (200, 200)
    assert len(np.unique(images, axis=0)) == 400


def test_drawn_pictures_are_the_same_each_time() -> None:
    """Two publishers measure on the same pictures, which all differ."""
    first, second = drawings.textures(4, input_size=64), drawings.textures(4, input_size=64)

    assert np.array_equal(first, second)
    assert ((4, 64, 64, 3), np.uint8) == (first.shape, first.dtype)
    assert first.std(axis=(1, 2, 3)).min() > 20
