"""Folders of a split, as data sets are handed on, and how they are told from labels."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_training.conftest import FinishedRun, check, draw, encode, fill
from training.errors import DataError
from training.pictures import data, inspection, sources, split
from training.pictures.parts import SPLITS
from training.pictures.split import Split

LABELS = ("rose", "tulip")
PARTS = ("train", "valid", "test")


def _divided(root: Path, parts: tuple[str, ...] = PARTS, n: int = 5) -> Path:
    """Write `n` pictures of both labels into each part."""
    for i, part in enumerate(parts):
        for label in LABELS:
            fill(root / part, label, n, first=100 * i)
    return root


def _split(root: Path) -> Split:
    return split.assign(check(root), validation_percentage=20, testing_percentage=20)


def _tops(found: Split) -> list[set[str]]:
    """Return the outermost folders of each part, in the order training, validation, testing."""
    return [{p.path.partition("/")[0] for p in getattr(found, name)} for name in SPLITS]


@pytest.mark.parametrize(
    "names",
    [
        PARTS,
        ("Train", "VAL", "Test"),
        ("training", "validation", "testing"),
        ("train", "val", "test"),
    ],
)
def test_the_folders_of_a_split_are_the_split(tmp_path: Path, names: tuple[str, ...]) -> None:
    """They were published as the labels of a model that told train from test."""
    found = _split(_divided(tmp_path / "p", names))

    assert _tops(found) == [{name} for name in names]
    assert check(tmp_path / "p").labels == LABELS


def test_a_split_inside_each_label_is_the_split_too(tmp_path: Path) -> None:
    """`rose/train/1.png` says the same as `train/rose/1.png`."""
    for label in LABELS:
        for i, part in enumerate(PARTS):
            fill(tmp_path / "p", f"{label}/{part}", 3, first=100 * i)
    found = _split(tmp_path / "p")

    assert [{p.path.split("/")[1] for p in getattr(found, n)} for n in SPLITS] == [
        {part} for part in PARTS
    ]


@pytest.mark.parametrize("lacking", ["valid", "test"])
def test_a_part_that_is_not_there_is_taken_from_training(tmp_path: Path, lacking: str) -> None:
    """Most sets have two folders; the one that judges is never trained on."""
    there = tuple(part for part in PARTS if part != lacking)
    found = _split(_divided(tmp_path / "p", there, n=10))

    wanted = [{"train"}, {"valid"}, {"test"}]
    wanted[PARTS.index(lacking)] = {"train"}
    assert _tops(found) == wanted


def test_pictures_of_the_test_part_that_train_too_are_left_out_of_training(tmp_path: Path) -> None:
    """Copies and look-alikes across the split would make the model look better than it is."""
    root = _divided(tmp_path / "p")
    image = draw(77, side=120)
    (root / "test/rose/seen.png").write_bytes(encode(image))
    (root / "train/rose/same.png").write_bytes(encode(image))
    (root / "train/rose/alike.jpg").write_bytes(encode(image, "JPEG", quality=60))
    shutil.copy(root / "valid/rose/100.png", root / "train/rose/again.png")
    found = check(root)

    assert {one.path: one.reason for one in found.set_aside} == {
        "train/rose/again.png": "it is a copy of valid/rose/100.png",
        "train/rose/same.png": "it is a copy of test/rose/seen.png",
        "train/rose/alike.jpg": "one of the testing part looks the same or has its group: "
        "test/rose/seen.png",
    }


def test_a_label_without_pictures_to_train_on_is_refused(tmp_path: Path) -> None:
    """Nothing could be learned of it."""
    root = _divided(tmp_path / "p")
    shutil.rmtree(root / "train/tulip")

    with pytest.raises(DataError, match=r"tulip has 0 .* for training; training need one"):
        _split(root)


def test_a_label_that_is_not_tested_is_told_and_no_reason_to_stop(tmp_path: Path) -> None:
    """The set's own test part is what it is."""
    root = _divided(tmp_path / "p")
    shutil.rmtree(root / "test/tulip")

    assert split.gaps(_split(root), LABELS) == ["tulip in testing"]


def test_labels_that_are_called_so_are_labels_when_it_is_said(tmp_path: Path) -> None:
    """A set of train and test pictures, by what they show."""
    fill(tmp_path, "train/steam", 1)
    fill(tmp_path, "test/tube", 1)

    assert sources.open_source(tmp_path, "content").labels() == ("test", "train")


def test_one_label_called_train_is_a_label(tmp_path: Path) -> None:
    """Only several names of parts make a split."""
    for label in ("train", "bus", "car"):
        fill(tmp_path, label, 1)

    assert sources.open_source(tmp_path).labels() == ("bus", "car", "train")


def _unclear(root: Path) -> Iterator[tuple[str, str]]:
    """Draw sets that are not clear; yield the folder of each and what is said of it."""
    _divided(root / "beside")
    fill(root / "beside", "annotations", 1)
    yield "beside", r"test/, train/, valid/ are called .* beside annotations/; give --split folder"
    for part in PARTS:
        fill(root / "flat", part, 1)
    yield "flat", "have no folders for labels inside.*--split content"
    _divided(root / "untrained", ("valid", "test"), n=1)
    yield "untrained", "no folder for training"


def test_what_is_not_clear_is_refused_with_what_to_say(tmp_path: Path) -> None:
    """Nothing is guessed that would be published."""
    for name, message in _unclear(tmp_path):
        with pytest.raises(DataError, match=message):
            sources.open_source(tmp_path / name).labels()


def test_a_split_that_is_asked_for_has_to_be_there(folder: Path) -> None:
    """The message says what was looked for."""
    with pytest.raises(DataError, match="no folders called train, valid and test"):
        sources.open_source(folder, "folder").labels()


def test_other_folders_are_set_aside_when_a_split_is_asked_for(tmp_path: Path) -> None:
    """`annotations/` is no label then."""
    _divided(tmp_path / "p")
    fill(tmp_path / "p", "annotations", 1)
    source = sources.open_source(tmp_path / "p", "folder")

    assert source.labels() == LABELS
    assert [e.path for e in source.entries() if not e.label] == ["annotations/000.png"]


def test_a_manifest_may_name_the_parts(tmp_path: Path) -> None:
    """By a column `split`; another word in it is refused with its line."""
    text = "path,label,split\na.png,rose,Train\nb.png,rose,test\n"
    (tmp_path / "m.csv").write_text(text)

    parts = [entry.part for entry in sources.open_source(tmp_path / "m.csv").entries()]
    assert parts == ["training", "testing"]

    (tmp_path / "m.csv").write_text(text.replace("test", "dev"))
    with pytest.raises(DataError, match="line 3: split is 'dev'; expected train, valid or test"):
        sources.open_source(tmp_path / "m.csv")


def test_every_picture_judges_once_in_cross_validation(tmp_path: Path) -> None:
    """The parts of the set are put together, and nothing is a leak between them."""
    root = _divided(tmp_path / "p")
    image = draw(77, side=120)
    (root / "test/rose/seen.png").write_bytes(encode(image))
    (root / "train/rose/alike.jpg").write_bytes(encode(image, "JPEG", quality=60))
    cache = inspection.findings_cache(tmp_path / "findings")
    source = sources.open_source(root)

    found = data.check(source, cache, advance=lambda done, total: None, keep_parts=False)
    assert (len(found.pictures), found.given_parts, found.set_aside) == (32, (), ())


def test_a_run_is_judged_on_the_sets_own_test_part(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    """Report and page say how many pictures that were, and that the parts are the set's own."""
    root = _divided(tmp_path / "p")
    fill(root / "test", "rose", 4, first=500)
    flags = ("--image_dir", str(root), "--name", "divided", "--no-publish")
    assert finished_run.train_here(*flags, "--runs_dir", str(tmp_path / "runs")) == 0

    (page,) = (tmp_path / "runs").glob("*/report.html")
    report = json.loads(page.with_suffix(".json").read_text())
    assert report["evaluation"]["pictures"] == 14
    assert report["run"]["data"]["given_parts"] == ["training", "validation", "testing"]
    assert "these parts are its own: training, validation, testing" in page.read_text()
