"""A folder on this machine, with the links in it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.pictures import names
from training.pictures.listing import (
    MOST_FILE_BYTES,
    LeftOut,
    Listing,
    bounded,
    small_enough,
)


@dataclass(frozen=True)
class _Folder:
    """A folder of the walk; `ancestors` are the identities of those it lies in, and its own."""

    place: Path
    path: str
    ancestors: frozenset[tuple[int, int]]


class FolderFiles:
    """What lies in a folder. Links to files and folders are followed, but never in circles."""

    def __init__(self, root: Path) -> None:
        """Read below `root`."""
        self._root = root
        # By what is shown of them: names that are no UTF-8.
        self._odd: dict[str, str] = {}

    def listing(self) -> Listing:
        """Return every regular file and every folder."""
        left_out = LeftOut()
        found = list(bounded(self._walk(left_out), self._root))
        self._odd = {s: path for path in found if (s := names.shown(path)) != path}
        return Listing(tuple(sorted(map(names.shown, found))), left_out.notes)

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return read_file(self._root / self._odd.get(path, path))

    def _walk(self, left_out: LeftOut) -> Iterator[str]:
        waiting = [_Folder(self._root, "", frozenset([_identity(self._root)]))]
        while waiting:
            folder = waiting.pop()
            for entry in _entries(folder, left_out):
                path = folder.path + entry.name
                if entry.is_dir():
                    if inner := _inner(folder, entry, left_out):
                        waiting.append(inner)
                        yield inner.path
                elif entry.is_file():
                    yield path
                else:
                    left_out.add(path, _why_no_file(entry))


def read_file(place: Path) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: it cannot be read, is none, or is too large.
    """
    with open(place, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no regular file")
        return small_enough(file.read(MOST_FILE_BYTES + 1))


def _without_waiting(path: str, flags: int) -> int:
    # A pipe would be waited for.
    return os.open(path, flags | os.O_NONBLOCK)


def _entries(folder: _Folder, left_out: LeftOut) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder.place) as entries:
            found = {entry.name: entry for entry in entries}
    except OSError as exc:
        left_out.add(folder.path, f"it cannot be listed ({exc.strerror})")
        return []
    return [found[name] for name in left_out.without_litter(sorted(found))]


def _inner(folder: _Folder, entry: os.DirEntry[str], left_out: LeftOut) -> _Folder | None:
    identity = _identity(entry)
    if identity in folder.ancestors:
        left_out.add(folder.path + entry.name, "it is a link to a folder that it lies in")
        return None
    path = f"{folder.path}{entry.name}/"
    return _Folder(Path(entry.path), path, folder.ancestors | {identity})


def _identity(place: Path | os.DirEntry[str]) -> tuple[int, int]:
    found = os.stat(place)
    return found.st_dev, found.st_ino


def _why_no_file(entry: os.DirEntry[str]) -> str:
    return "it is a link to nothing" if entry.is_symlink() else "it is no regular file"
