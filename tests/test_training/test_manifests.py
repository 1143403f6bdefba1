"""CSV files as spreadsheets write them."""

import os
from pathlib import Path

import pytest

from training.pictures import sources
from training.pictures.entries import Entry

ENTRY = Entry("pictures/a b.png", "Ähre", "plant 1")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("path,label,group\npictures/a b.png,Ähre,plant 1\n", "utf-8"),
        ("path,label,group\r\npictures/a b.png,Ähre,plant 1\r\n", "utf-8-sig"),
        ("path;label;group\npictures/a b.png;Ähre;plant 1\n", "utf-8"),
        ("path\tlabel\tgroup\npictures/a b.png\tÄhre\tplant 1\n", "utf-16"),
        ("path|label|group\npictures/a b.png|Ähre|plant 1\n", "utf-32"),
        ("sep=;\nPath; Label ;GROUP\npictures/a b.png; Ähre ; plant 1\n", "utf-8-sig"),
        ('"path","label","group"\n"pictures/a b.png","Ähre","plant 1"\n', "utf-8"),
        ("path,label,group\npictures\\a b.png,Ähre,plant 1\n", "utf-8"),
    ],
)
def test_a_manifest_is_read_however_it_was_written(
    tmp_path: Path, text: str, encoding: str
) -> None:
    """Delimiters, encodings and backslashes of every spreadsheet say the same."""
    (tmp_path / "m.csv").write_text(text, encoding)

    assert sources.open_source(tmp_path / "m.csv").entries() == (ENTRY,)


def test_utf16_may_have_its_bytes_in_either_order(tmp_path: Path) -> None:
    """Both orders of bytes are known by their mark."""
    text = "\ufeffpath,label,group\npictures/a b.png,Ähre,plant 1\n"
    (tmp_path / "m.csv").write_bytes(text.encode("utf-16-be"))

    assert sources.open_source(tmp_path / "m.csv").entries() == (ENTRY,)


def test_a_file_with_a_backslash_in_its_name_is_found(tmp_path: Path) -> None:
    """Here it is a letter like others, if such a file is there."""
    (tmp_path / "a\\b.png").write_bytes(b"x")
    (tmp_path / "m.csv").write_text("path,label\na\\b.png,rose\n")

    (entry,) = sources.open_source(tmp_path / "m.csv").entries()
    assert entry.path == "a\\b.png"


def test_a_pipe_in_a_manifest_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write into it."""
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "m.csv").write_text("path,label\na.png,rose\n")

    with pytest.raises(OSError, match="it is no regular file"):
        sources.open_source(tmp_path / "m.csv").read("a.png")
