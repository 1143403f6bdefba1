"""A CSV file that names pictures and their labels, as spreadsheets and programs write it."""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from training.errors import DataError
from training.pictures import names
from training.pictures.entries import Entry
from training.pictures.folders import read_file
from training.pictures.parts import part_of

_COLUMNS = "path,label[,group][,split]"
_DELIMITERS = ",;\t|"
# Longer ones first: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class ManifestSource:
    """A CSV file with the columns path, label, group and split; paths are relative to the file."""

    def __init__(self, manifest: Path) -> None:
        """Read the whole manifest.

        Raises:
            DataError: it cannot be decoded, or lacks a column or a value.
        """
        self.place = str(manifest)
        self._root = manifest.parent
        rows = list(_rows(manifest))
        self._written = [label for label, _ in rows]
        self._entries = tuple(sorted((entry for _, entry in rows), key=lambda entry: entry.path))

    def labels(self) -> tuple[str, ...]:
        """Return the labels that occur, sorted."""
        return tuple(sorted({entry.label for entry in self._entries}))

    def entries(self) -> tuple[Entry, ...]:
        """Return every file, sorted by path."""
        return self._entries

    def notes(self) -> tuple[str, ...]:
        """Return what is odd about the labels."""
        return tuple(names.oddities(self._written, self.labels()))

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return read_file(self._root / path)


def _rows(manifest: Path) -> Iterator[tuple[str, Entry]]:
    """Yield each line's label as it is written, and what the line says."""
    reader = _reader(_text(manifest))
    columns = [name.strip().casefold() for name in reader.fieldnames or ()]
    if not {"path", "label"} <= set(columns):
        raise DataError(f"{manifest} begins with {columns}; expected {_COLUMNS}")
    reader.fieldnames = columns
    for row in reader:
        path, label = (row["path"] or "").strip(), row["label"] or ""
        if not path or not label.strip():
            raise DataError(f"{manifest}, line {reader.line_num}: path or label is empty")
        part = _part(row.get("split"), columns, f"{manifest}, line {reader.line_num}")
        group = (row.get("group") or "").strip()
        yield label, Entry(_found(manifest.parent, path), names.label_of(label), group, part)


def _reader(text: str) -> "csv.DictReader[str]":
    stream = io.StringIO(text, newline="")
    # What a spreadsheet writes to tell another one its delimiter.
    if text.casefold().startswith("sep="):
        stream.readline()
    start = stream.tell()
    header = stream.readline()
    stream.seek(start)
    return csv.DictReader(stream, delimiter=max(_DELIMITERS, key=header.count))


def _text(manifest: Path) -> str:
    content = manifest.read_bytes()
    marks = (name for mark, name in _MARKS.items() if content.startswith(mark))
    encoding = next(marks, "utf-8-sig")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as exc:
        raise DataError(f"{manifest} is not {encoding} ({exc}); save it as UTF-8") from exc


def _part(said: str | None, columns: list[str], where: str) -> str:
    if "split" not in columns:
        return ""
    if not (part := part_of(said or "")):
        raise DataError(f"{where}: split is {said!r}; expected train, valid or test")
    return part


def _found(root: Path, path: str) -> str:
    r"""Return a path as it lies here; on Windows it is written with `\`."""
    if "\\" in path and not (root / path).exists():
        return path.replace("\\", "/")
    return path
