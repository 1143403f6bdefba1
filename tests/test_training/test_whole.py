"""Results that are there whole or not at all, and when a model is the one that is published."""

import os
import resource
from concurrent.futures import ThreadPoolExecutor
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
    path = tmp_path / "made" / "labels.txt"
    whole.write(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            whole.write(path, b"new" * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert ([path], b"old") == (list(path.parent.iterdir()), path.read_bytes())


def test_two_writers_of_one_file_do_not_tear_it(tmp_path: Path) -> None:
    """Each write ends well, and whoever reads meanwhile sees all that one of them wrote."""
    path = tmp_path / "labels.txt"
    contents = [bytes([i]) * 100_000 for i in range(3)]
    whole.write(path, contents[0])

    def write_and_read(i: int) -> bytes:
        whole.write(path, contents[i % 3])
        return path.read_bytes()

    with ThreadPoolExecutor(3) as pool:
        seen = set(pool.map(write_and_read, range(150)))

    assert seen <= set(contents)
    assert list(tmp_path.iterdir()) == [path]


def test_two_runs_that_fill_one_folder_take_turns(tmp_path: Path) -> None:
    """The folder ends with all that one of them made, and with nothing of the other."""

    def fill(name: str) -> None:
        def make(place: Path) -> None:
            for file in ("a", "b", "last"):
                (place / "part").mkdir(parents=True, exist_ok=True)
                (place / "part" / file).write_text(name)
                (place / file).write_text(name)

        whole.fill(tmp_path / "model", make, last="last")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, ["rose", "tulip", "daisy", "iris"] * 10))

    written = [path.read_text() for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert (len(written), len(set(written))) == (6, 1)


def test_of_two_folders_moved_to_one_place_the_first_stays(tmp_path: Path) -> None:
    """Someone may be reading it; the second run hears of it."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    whole.move(tmp_path / "first", tmp_path / "place")

    with pytest.raises(OSError, match="not empty"):
        whole.move(tmp_path / "second", tmp_path / "place")

    assert (tmp_path / "place" / "file").read_text() == "first"


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


def test_what_a_kill_left_of_a_file_is_cleared_away_when_it_is_old(tmp_path: Path) -> None:
    """That of a run which still writes stays, and so does every other file."""
    names = ("a[1].txt.old.partial", "a[1].txt.new.partial", "a1.txt.old.partial")
    for name, age in zip(names, (2.0, 0.0, 2.0), strict=True):
        (tmp_path / name).touch()
        then = (tmp_path / name).stat().st_mtime - age * whole.STALE_AFTER_SECONDS
        os.utime(tmp_path / name, (then, then))

    whole.write(tmp_path / "a[1].txt", b"")

    assert {"a[1].txt", *names[1:]} == {path.name for path in tmp_path.iterdir()}


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
