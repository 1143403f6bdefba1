"""Results that are there whole or not at all, and when a model is the one that is published."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_training.test_features import backbone
from training import whole
from training.learning.dense import Dense
from training.publishing.trained import Trained


def test_a_file_is_the_old_one_until_it_is_the_new_one(tmp_path: Path) -> None:
    """A file that cannot be written whole leaves what was there, as a kill does."""
    whole.write(tmp_path / "made" / "labels.txt", b"old")
    (tmp_path / "made" / "labels.txt.partial").mkdir()

    with pytest.raises(IsADirectoryError):
        whole.write(tmp_path / "made" / "labels.txt", b"new")

    assert (tmp_path / "made" / "labels.txt").read_bytes() == b"old"


def test_a_place_that_is_no_file_is_written_as_it_is(tmp_path: Path) -> None:
    """A pipe, like /dev/stdout, stays one."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    whole.write(tmp_path / "pipe", b"rose\n")

    assert (os.read(reader, 9), (tmp_path / "pipe").is_fifo()) == (b"rose\n", True)
    os.close(reader)


def test_folders_of_killed_runs_are_cleared_away_when_they_are_old(tmp_path: Path) -> None:
    """Those of runs that go on beside this one, and everything else, stay."""
    for name, age in (("partial-old", 2.0), ("partial-new", 0.0), ("other", 2.0)):
        (tmp_path / name / "content").mkdir(parents=True)
        then = (tmp_path / name).stat().st_mtime - age * whole.STALE_AFTER_SECONDS
        os.utime(tmp_path / name, (then, then))

    with whole.folder(tmp_path, "partial-") as made:
        assert list(made.iterdir()) == []

    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "partial-new"]


def test_a_folder_is_unfinished_until_its_last_file_is_there(tmp_path: Path) -> None:
    """A second try replaces what the first had already moved there; other files stay."""
    for path in (".partial/last", "variables/of the first try", "other"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()

    def make(place: Path) -> None:
        for path in (place / "last", place / "variables" / "of the second try"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    whole.fill(tmp_path, make, last="last")

    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert files == ["last", "other", "variables", "variables/of the second try"]
    assert not whole.is_unfinished(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": backbone(identity="cd" * 32)},
        {"backbone": backbone(crop_fraction=0.875)},
        {"dense": Dense(np.ones((3, 2), np.float32), np.full(2, 1e-7, np.float32))},
        {"labels": ("b", "a")},
        {"temperature": 1.5},
        {"metrics": {"top1": 0.8}},
    ],
)
def test_a_model_is_another_one_if_anything_about_it_is(changes: dict[str, Any]) -> None:
    """Also if only its measurements are; a copy of it is the same."""
    dense = Dense(np.ones((3, 2), np.float32), np.zeros(2, np.float32))
    trained = Trained(backbone(), Path(), dense, ("a", "b"), 1.0, {"top1": 0.9})

    assert trained.description == replace(trained).description
    assert trained.description != replace(trained, **changes).description
