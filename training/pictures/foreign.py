"""Pictures of other things than a model's labels, to see whether it says so of them."""

import hashlib
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import ImageError
from model_store.pictures.decoding import decode
from training.errors import SettingsError
from training.pictures.data import Picture
from training.pictures.folders import FolderFiles
from training.pictures.sources import Reader

# Of a share of 95 % that is an interval of 1.4 points to each side.
MOST_PICTURES = 1000
_SIDE_PIXELS = 32


@dataclass(frozen=True)
class Others:
    """The pictures of a folder in any depth, where to read them, and what was left out and why."""

    files: Reader
    pictures: list[Picture]
    notes: tuple[str, ...]


def look(folder: Path, *, own: Set[str]) -> Others:
    """Return what is in a folder, evenly taken where there are more than 1,000 files.

    Args:
        folder: Read in any depth; the names of folders in it mean nothing.
        own: SHA-256 (hexadecimal) of the model's own pictures, which are left out.

    Raises:
        SettingsError: it is no folder, or has no picture.
    """
    if not folder.is_dir():
        raise SettingsError(f"foreign is {folder}, which is no folder; give one with pictures")
    files = FolderFiles(folder)
    listing = files.listing()
    paths = _evenly([path for path in listing.paths if not path.endswith("/")])
    found = dict(_looked_at(files, paths, own))
    pictures = [Picture(path, "", digest, "") for path, (digest, reason) in found.items() if digest]
    if not pictures:
        raise SettingsError(
            f"foreign is {folder}, which has {len(paths)} files and no usable picture; give another"
        )
    left_out = [f"Left out {path}: {reason}" for path, (_, reason) in found.items() if reason]
    return Others(files, pictures, (*listing.notes, *left_out))


def _looked_at(
    files: FolderFiles, paths: list[str], own: Set[str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each path with its digest, or with the reason why it cannot be used."""
    known = set(own)
    for path in paths:
        try:
            upload = files.read(path)
            decode(upload, shorter_side=_SIDE_PIXELS)
        except (OSError, ImageError) as exc:
            yield path, ("", str(exc))
            continue
        digest = hashlib.sha256(upload).hexdigest()
        reason = "the same file is there already, or among the model's own" * (digest in known)
        known.add(digest)
        yield path, ("" if reason else digest, reason)


def _evenly(paths: list[str]) -> list[str]:
    n = min(len(paths), MOST_PICTURES)
    return [paths[i * len(paths) // n] for i in range(n)]
