"""Rows by picture content: kept whole, found again, never taken for another kind."""

from pathlib import Path

import numpy as np
import pytest

from training.pictures.row_cache import RowCache

ONE, TWO, THREE = ("00" * 32, "00" * 31 + "01", "ff" * 32)


def _cache(directory: Path, width: int = 2) -> RowCache:
    return RowCache(directory, width=width, dtype=np.float32)


def test_rows_are_found_by_another_process(tmp_path: Path) -> None:
    """In any order, from several files, also digests that end in zeros."""
    _cache(tmp_path).add([ONE, TWO], np.array([[1, 2], [3, 4]], np.float32))
    _cache(tmp_path).add([THREE], np.array([[5, 6]], np.float32))

    rows = _cache(tmp_path).rows([THREE, ONE, TWO, ONE])

    assert rows.tolist() == [[5, 6], [1, 2], [3, 4], [1, 2]]


def test_missing_digests_are_told_once_each(tmp_path: Path) -> None:
    """In the order they were asked for."""
    cache = _cache(tmp_path)
    cache.add([TWO], np.zeros((1, 2), np.float32))

    assert cache.missing([THREE, TWO, ONE, THREE]) == [THREE, ONE]


@pytest.mark.parametrize("name", ["cut.npy", "half.partial"])
def test_a_file_that_is_cut_off_is_left_out(tmp_path: Path, name: str) -> None:
    """A damaged file costs its rows and not the run; retrain.py's were read as numbers."""
    _cache(tmp_path).add([ONE], np.zeros((1, 2), np.float32))
    (whole,) = tmp_path.glob("*.npy")
    (tmp_path / name).write_bytes(whole.read_bytes()[:-9])
    whole.unlink()

    assert _cache(tmp_path).missing([ONE]) == [ONE]


def test_rows_of_another_width_are_left_out(tmp_path: Path) -> None:
    """They belong to something else."""
    _cache(tmp_path, width=3).add([ONE], np.zeros((1, 3), np.float32))

    assert _cache(tmp_path).missing([ONE]) == [ONE]
