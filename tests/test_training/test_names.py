"""Names of folders and files: labels that are equal, what systems leave, letters that are none."""

import os
import unicodedata
from pathlib import Path

import pytest

from tests.test_training.conftest import check, draw, encode, fill
from training.errors import DataError
from training.pictures import sources

DECOMPOSED = unicodedata.normalize("NFD", "Ähre")


def _folders(root: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        fill(root, name, 1, first=i)
    return root


@pytest.mark.parametrize("other", [DECOMPOSED, " Ähre", "Ähre ", "\ufeffÄhre"])
def test_labels_that_look_equal_are_one(tmp_path: Path, other: str) -> None:
    """A Mac writes letters in pieces; a space at the end is seen by nobody."""
    source = sources.open_source(_folders(tmp_path, "Ähre", other))

    assert source.labels() == ("Ähre",)
    assert {entry.label for entry in source.entries()} == {"Ähre"}
    assert "are one label, Ähre" in source.notes()[0]


def test_labels_of_a_manifest_are_compared_in_the_same_way(tmp_path: Path) -> None:
    """A cell is a name as well."""
    (tmp_path / "m.csv").write_text(f"path,label\na.png,Ähre\nb.png,{DECOMPOSED} \n")

    assert sources.open_source(tmp_path / "m.csv").labels() == ("Ähre",)


@pytest.mark.parametrize(
    "names", [("Rose", "rose"), ("blue_sky", "Blue Sky"), ("Straße", "STRASSE")]
)
def test_labels_that_are_almost_equal_are_warned_about(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    """They stay two: `Polish` and `polish` may be meant so."""
    source = sources.open_source(_folders(tmp_path, *names))

    assert source.labels() == tuple(sorted(names))
    assert "are 2 labels, though almost equal" in source.notes()[0]


@pytest.mark.parametrize(
    "litter", ["$RECYCLE.BIN", "lost+found", "@eaDir", "__MACOSX", "System Volume Information"]
)
def test_folders_of_systems_are_left_out_and_told(folder: Path, litter: str) -> None:
    """One of them, empty or not, refused the whole set."""
    (folder / litter).mkdir()
    (folder / "玫瑰" / litter).mkdir()
    (folder / "玫瑰" / litter / "x.jpg").write_bytes(b"x")
    found = check(folder)

    assert not found.set_aside
    assert len(found.labels) == 3
    assert f"Left out, as systems put them there: {litter} (2)" in found.warnings


def test_names_that_are_no_utf8_are_read_and_shown(folder: Path) -> None:
    """A file of an old disk is a picture like others, and its name can be printed."""
    place = os.fsencode(folder / "玫瑰") + b"/caf\xe9.png"
    Path(os.fsdecode(place)).write_bytes(encode(draw(5)))
    found = check(folder)

    assert "玫瑰/caf\\xe9.png" in [picture.path for picture in found.pictures]
    assert len(found.pictures) == 37


def test_a_label_that_is_no_utf8_is_refused(folder: Path) -> None:
    """Nobody knows which letter was meant, and it would be published."""
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9")).mkdir()

    with pytest.raises(DataError, match=r"caf\\xe9 has a name that is not UTF-8.*convmv"):
        sources.open_source(folder).labels()


@pytest.mark.parametrize("name", ["a\nb", " ", "a\tb"])
def test_a_name_that_can_be_no_label_is_refused(folder: Path, name: str) -> None:
    """A file of labels has one a line."""
    (folder / name).mkdir()

    with pytest.raises(DataError, match="cannot be a label"):
        sources.open_source(folder).labels()
