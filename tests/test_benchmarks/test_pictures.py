"""The pictures that the benchmark sends."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import pictures


def test_the_drawn_set_has_the_sizes_of_photographs(tmp_path: Path) -> None:
    """Median sides and mean bytes are those of ImageNet's photographs; some are large."""
    files = pictures.draw(tmp_path)
    mean = np.mean([file.stat().st_size for file in files])
    longer = [max(side) for side in pictures.sides(files)]

    assert tuple(np.median(pictures.sides(files), axis=0)) == pictures.MEDIAN_SIDES
    # A tenth is what the choice of detail, in a few steps, may miss in the mean.
    assert mean == pytest.approx(pictures.MEAN_BYTES, rel=0.1)
    assert min(longer) <= 350
    assert max(longer) >= 1000


def test_the_set_is_the_same_each_time(tmp_path: Path) -> None:
    """Two machines send the same pictures, and no two pictures of the set are equal."""
    first = [file.read_bytes() for file in pictures.draw(tmp_path / "a", count=6)]
    second = [file.read_bytes() for file in pictures.draw(tmp_path / "b", count=6)]

    assert first == second
    assert len(set(first)) == 6


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    """Who has photographs measures with them."""
    pictures.draw(tmp_path, count=3)
    (tmp_path / "notes.txt").touch()
    found = pictures.chosen(tmp_path)

    assert [file.name for file in found.files] == ["000.jpg", "001.jpg", "002.jpg"]
    assert found.described.startswith("3 pictures, from a folder, mean ")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """Nothing is measured with no pictures."""
    with pytest.raises(FileNotFoundError, match=r"no \*\.jpg"):
        pictures.chosen(tmp_path)
