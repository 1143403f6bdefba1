"""Where pictures come from: folders, archives and manifests."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.test_training.conftest import check, fill
from training.errors import DataError, SettingsError
from training.pictures import sources
from training.pictures.entries import Entry


def _zipped(folder: Path, archive: Path, *, wrapper: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*.png")):
            target.write(path, wrapper + path.relative_to(folder).as_posix())
    return archive


def test_labels_are_the_names_of_the_folders_as_they_are(folder: Path) -> None:
    """Letters of any alphabet, capitals and spaces stay; retrain.py made `玫瑰` a blank."""
    assert sources.open_source(folder).labels() == ("blue sky", "красный", "玫瑰")


def test_labels_that_differ_only_in_capitals_stay_two(tmp_path: Path) -> None:
    """retrain.py let the second of `Rose` and `rose` overwrite the first."""
    fill(tmp_path, "Rose", 1)
    fill(tmp_path, "rose", 1)

    assert sources.open_source(tmp_path).labels() == ("Rose", "rose")


def test_pictures_in_nested_folders_have_the_outer_label(tmp_path: Path) -> None:
    """retrain.py found no files there."""
    fill(tmp_path / "rose", "2019/june", 1)

    (entry,) = sources.open_source(tmp_path).entries()

    assert Entry("rose/2019/june/000.png", "rose") == entry


def test_what_systems_leave_behind_is_no_picture(tmp_path: Path) -> None:
    """Files such as `.DS_Store` are counted, and no pictures that are set aside."""
    (tmp_path / "rose").mkdir()
    (tmp_path / "rose" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "__MACOSX").mkdir()

    source = sources.open_source(tmp_path)

    assert (source.entries(), source.labels()) == ((), ("rose",))
    assert source.notes() == ("Left out, as systems put them there: .DS_Store (1), __MACOSX (1)",)


@pytest.mark.parametrize("wrapper", ["", "flower_photos/"])
def test_an_archive_is_the_folder_that_it_was_made_of(
    folder: Path, tmp_path: Path, wrapper: str
) -> None:
    """Also when the folder itself is inside; contents, labels and split groups are equal."""
    archive = _zipped(folder, tmp_path / "pictures.zip", wrapper=wrapper)

    assert replace(check(folder), warnings=()) == replace(check(archive), warnings=())


def test_a_damaged_entry_of_an_archive_is_set_aside(folder: Path, tmp_path: Path) -> None:
    """The other pictures of the archive are still used."""
    archive = _zipped(folder, tmp_path / "pictures.zip")
    damaged = bytearray(archive.read_bytes())
    damaged[100:140] = bytes(40)
    archive.write_bytes(damaged)

    assert len(check(archive).set_aside) == 1


def test_a_manifest_names_labels_and_groups(folder: Path, tmp_path: Path) -> None:
    """Paths are relative to the manifest; pictures of a group share their split."""
    paths = sorted(folder.rglob("*.png"))[:2]
    names = [path.relative_to(tmp_path).as_posix() for path in paths]
    manifest = tmp_path / "pictures.csv"
    manifest.write_text(f"path,label,group\n{names[0]},Ähre,plant 1\n{names[1]},rose,plant 1\n")

    found = check(manifest)

    assert found.labels == ("rose", "Ähre")
    assert len({picture.group for picture in found.pictures}) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("file,label\na.png,rose\n", r"path,label"), ("path,label\na.png,\n", "line 2")],
)
def test_a_wrong_manifest_says_where(tmp_path: Path, text: str, message: str) -> None:
    """A missing column or value is named, with its line."""
    (tmp_path / "m.csv").write_text(text)

    with pytest.raises(DataError, match=message):
        sources.open_source(tmp_path / "m.csv")


def test_a_place_that_is_none_of_these_is_refused(tmp_path: Path) -> None:
    """The message says what can be given."""
    with pytest.raises(
        SettingsError, match=r"give a folder, \.zip, \.tar, \.tar\.gz, \.tar\.xz or \.csv"
    ):
        sources.open_source(tmp_path / "nothing")
