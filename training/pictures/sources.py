"""Where pictures come from: a folder of folders, an archive of one, a bucket, or a CSV manifest.

A source only lists and reads; whether the bytes are a usable picture is found out in `data`.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

from training.errors import DataError, SettingsError
from training.image_dir import is_address
from training.pictures import layout, names
from training.pictures.archives import ZipFiles
from training.pictures.buckets import BucketFiles
from training.pictures.entries import Entry
from training.pictures.folders import FolderFiles
from training.pictures.layout import Layout
from training.pictures.listing import Files
from training.pictures.manifests import ManifestSource
from training.pictures.tars import TarFiles, is_tar
from training.settings import SplitBy

_EXPECTED = "a folder, .zip, .tar, .tar.gz, .tar.xz or .csv"
_NOT_READ = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
}


class Reader(Protocol):
    """Files by path. Threads may read at the same time."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            OSError: it cannot be read.
        """
        ...


class Source(Reader, Protocol):
    """Files with labels."""

    @property
    def place(self) -> str:
        """Where `open_to_read` finds the files again."""
        ...

    def labels(self) -> tuple[str, ...]:
        """Return every label that the source has a place for, sorted, also empty ones."""
        ...

    def entries(self) -> tuple[Entry, ...]:
        """Return every file, sorted by path."""
        ...

    def notes(self) -> tuple[str, ...]:
        """Return what is odd about the place, a sentence each."""
        ...


def open_source(place: Path | str, split: SplitBy = "auto") -> Source:
    """Return the source at a folder, an archive or a CSV file, or below `s3://bucket/prefix`.

    Args:
        place: Where it is; a text is an address or a path.
        split: As for `layout.laid_out`, which is asked for labels and entries only.

    Raises:
        SettingsError: there is none of these.
        DataError: what is there is damaged, or too much.
    """
    if is_address(place):
        return TreeSource(BucketFiles(str(place)), place, split)
    place = Path(place)
    if place.is_dir():
        return TreeSource(FolderFiles(place), place, split)
    if not place.is_file():
        raise SettingsError(f"image_dir is {place}, which does not exist; give {_EXPECTED}")
    if place.suffix.lower() == ".csv":
        return ManifestSource(place)
    return TreeSource(_archive(place), place, split)


def open_to_read(place: str) -> Reader:
    """Return the files of a source that was opened before, by its `place`.

    A bucket is not listed again, which takes a call for each thousand pictures.

    Raises:
        SettingsError, DataError: as for `open_source`.
    """
    return BucketFiles(place) if is_address(place) else open_source(place)


def read_again(source: Reader, path: str) -> bytes:
    """Return the bytes of a file that could be read before.

    Raises:
        DataError: now it cannot.
    """
    try:
        return source.read(path)
    except OSError as exc:
        raise DataError(f"{path} could be read before and cannot now: {exc}") from exc


def read_unchanged(source: Reader, path: str, digest: str) -> bytes:
    """Return the bytes of a file that had this SHA-256 before.

    Raises:
        DataError: now it has another one, or cannot be read.
    """
    upload = read_again(source, path)
    if hashlib.sha256(upload).hexdigest() != digest:
        raise DataError(f"{path} changed while training; start again when nothing writes there")
    return upload


class TreeSource:
    """A tree with one folder for each label; pictures may lie deeper inside those.

    All may lie in one more folder, and that be divided into parts of a split.
    """

    def __init__(self, files: Files, place: Path | str, split: SplitBy) -> None:
        """List the files, which are those at a place."""
        self._files = files
        self._place = place
        self._split = split
        self._listing = files.listing()
        self._wrapper = layout.wrapper_of(self._listing.paths)

    @property
    def place(self) -> str:
        """Where `open_to_read` finds the files again; in a bucket, that of the label folders."""
        inside = f"/{self._wrapper}".rstrip("/") if is_address(self._place) else ""
        return f"{self._place}{inside}"

    def labels(self) -> tuple[str, ...]:
        """Return the names of the label folders, sorted."""
        return self._layout.labels

    def entries(self) -> tuple[Entry, ...]:
        """Return every file, sorted by path."""
        return self._layout.entries

    def notes(self) -> tuple[str, ...]:
        """Return what was left out, and what is odd about the names of folders."""
        return (*self._listing.notes, *self._unwrapped(), *self._layout.notes)

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return self._files.read(self._wrapper + path)

    @cached_property
    def _layout(self) -> Layout:
        inside = (p[len(self._wrapper) :] for p in self._listing.paths if self._is_inside(p))
        return layout.laid_out(tuple(inside), self._split)

    def _unwrapped(self) -> Iterator[str]:
        if self._wrapper:
            beside = [p for p in self._listing.paths if not p.startswith(self._wrapper)]
            aside = f"; left out beside it: {len(beside)} files" if beside else ""
            yield f"The label folders are looked for in {names.shown(self._wrapper)}{aside}"

    def _is_inside(self, path: str) -> bool:
        return path.startswith(self._wrapper) and path != self._wrapper


def _archive(place: Path) -> Files:
    if zipfile.is_zipfile(place):
        return ZipFiles(place)
    if is_tar(place):
        return TarFiles(place)
    with place.open("rb") as file:
        start = file.read(8)
    found = next((kind for magic, kind in _NOT_READ.items() if start.startswith(magic)), "")
    if found:
        raise SettingsError(f"image_dir is {place}, {found}, which cannot be read; unpack it")
    raise SettingsError(f"image_dir is {place}, which is none of these: {_EXPECTED} file")
