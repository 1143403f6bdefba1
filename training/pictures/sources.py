"""Where pictures come from: a folder of folders, a zip archive of one, or a CSV manifest.

A source only lists and reads; whether the bytes are a usable picture is found out in `data`.
"""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from training.errors import DataError, SettingsError

# What operating systems leave in folders; they are no pictures of anyone.
IGNORED_NAMES = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})


@dataclass(frozen=True)
class Entry:
    """One file: its path inside the source, its label, and the group it shares a split with.

    Both texts may be empty: a file beside the label folders has no label, most have no group.
    """

    path: str
    label: str
    group: str = ""


class Source(Protocol):
    """Files with labels. Threads may read at the same time."""

    def labels(self) -> tuple[str, ...]:
        """Return every label that the source has a place for, sorted, also empty ones."""
        ...

    def entries(self) -> tuple[Entry, ...]:
        """Return every file, sorted by path."""
        ...

    def read(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            OSError: it cannot be read.
        """
        ...


def open_source(place: Path) -> Source:
    """Return the source at a folder, a zip archive or a CSV file.

    Raises:
        SettingsError: there is none of these.
    """
    if place.is_dir():
        return FolderSource(place)
    if not place.is_file():
        message = f"image_dir is {place}, which does not exist; give a folder, .zip or .csv"
        raise SettingsError(message)
    if zipfile.is_zipfile(place):
        return ZipSource(place)
    if place.suffix.lower() == ".csv":
        return ManifestSource(place)
    raise SettingsError(f"image_dir is {place}, which is no folder, zip archive or .csv file")


def read_again(source: Source, path: str) -> bytes:
    """Return the bytes of a file that could be read before.

    Raises:
        DataError: now it cannot.
    """
    try:
        return source.read(path)
    except OSError as exc:
        raise DataError(f"{path} could be read before and cannot now: {exc}") from exc


def read_unchanged(source: Source, path: str, digest: str) -> bytes:
    """Return the bytes of a file that had this SHA-256 before.

    Raises:
        DataError: now it has another one, or cannot be read.
    """
    upload = read_again(source, path)
    if hashlib.sha256(upload).hexdigest() != digest:
        raise DataError(f"{path} changed while training; start again when nothing writes there")
    return upload


class FolderSource:
    """A folder with one folder for each label; pictures may lie deeper inside those."""

    def __init__(self, root: Path) -> None:
        """Read below `root`."""
        self._root = root

    def labels(self) -> tuple[str, ...]:
        """Return the names of the folders, as they are, sorted."""
        folders = (path.name for path in self._root.iterdir() if path.is_dir())
        return tuple(sorted(name for name in folders if not _ignored(PurePosixPath(name))))

    def entries(self) -> tuple[Entry, ...]:
        """Return every file, sorted by path."""
        paths = (path.relative_to(self._root) for path in _files(self._root))
        return _entries(path.as_posix() for path in paths)

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return (self._root / path).read_bytes()


class ZipSource:
    """A zip archive of such a folder, or of a folder that holds such a folder and nothing else."""

    def __init__(self, archive: Path) -> None:
        """Read from `archive`, which stays open."""
        self._archive = zipfile.ZipFile(archive)
        names = [name for name in self._archive.namelist() if not _ignored(PurePosixPath(name))]
        self._wrapper = _wrapper(names)
        self._names = [name.removeprefix(self._wrapper) for name in names]

    def labels(self) -> tuple[str, ...]:
        """Return the names of the folders, as they are, sorted."""
        folders = (name for name in self._names if "/" in name)
        return tuple(sorted({name.split("/", 1)[0] for name in folders}))

    def entries(self) -> tuple[Entry, ...]:
        """Return every file, sorted by path."""
        return _entries(name for name in self._names if name and not name.endswith("/"))

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        try:
            return self._archive.read(self._wrapper + path)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as exc:
            raise OSError(f"the archive's entry cannot be unpacked: {exc}") from exc


class ManifestSource:
    """A CSV file with the columns path, label and group; paths are relative to the file."""

    def __init__(self, manifest: Path) -> None:
        """Read the whole manifest.

        Raises:
            DataError: it is not UTF-8, or lacks a column or a value.
        """
        self._root = manifest.parent
        self._entries = tuple(sorted(_rows(manifest), key=lambda entry: entry.path))

    def labels(self) -> tuple[str, ...]:
        """Return the labels that occur, sorted."""
        return tuple(sorted({entry.label for entry in self._entries}))

    def entries(self) -> tuple[Entry, ...]:
        """Return every file, sorted by path."""
        return self._entries

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return (self._root / path).read_bytes()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not _ignored(PurePosixPath(path.relative_to(folder).as_posix())):
            yield path


def _entries(paths: Iterable[str]) -> tuple[Entry, ...]:
    return tuple(Entry(path, label=_folder(path)) for path in sorted(paths))


def _folder(path: str) -> str:
    folder, slash, _ = path.partition("/")
    return folder if slash else ""


def _ignored(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part in IGNORED_NAMES for part in path.parts)


def _wrapper(names: list[str]) -> str:
    """Return the one folder that everything lies in, if the label folders are inside it."""
    tops = {name.split("/", 1)[0] for name in names}
    deep = any(name.count("/") > 1 for name in names)
    shallow = any(name.count("/") == 1 and not name.endswith("/") for name in names)
    return f"{tops.pop()}/" if len(tops) == 1 and deep and not shallow else ""


def _rows(manifest: Path) -> Iterator[Entry]:
    try:
        text = manifest.read_text("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise DataError(f"{manifest} is not UTF-8 ({exc}); save it as UTF-8") from exc
    reader = csv.DictReader(io.StringIO(text))
    if not {"path", "label"} <= set(reader.fieldnames or ()):
        raise DataError(f"{manifest} begins with {reader.fieldnames}; expected path,label[,group]")
    for row in reader:
        if not row["path"] or not row["label"]:
            raise DataError(f"{manifest}, line {reader.line_num}: path or label is empty")
        yield Entry(row["path"], row["label"], row.get("group") or "")
