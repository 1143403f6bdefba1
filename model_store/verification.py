"""SHA-256 of a version's files: made when it is published, checked before it is loaded."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from model_store import turns
from model_store.card import ModelCard
from model_store.errors import CorruptVersionError
from model_store.objects import Objects


def digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 (hexadecimal) of every file, by path relative to `directory`, sorted."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): file_digest(path) for path in paths}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of one file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check(directory: Path, files: Mapping[str, str], *, ref: str) -> None:
    """Compare every listed file of `directory` with its digest; `ref` is for the message.

    Raises:
        CorruptVersionError: a file is missing or its bytes differ; the message names it.
    """
    for path, expected in files.items():
        _check_file(directory / path, expected, f"{ref}: file {path}")


def read(objects: Objects, card: ModelCard, path: str) -> bytes:
    """Return the bytes of one file of a version; the others are not looked at.

    Raises:
        CorruptVersionError: it is missing, or its SHA-256 is wrong.
    """
    what = f"{card.ref}: file {path}"
    try:
        content = objects.read(f"{card.name}/{card.version}/{path}")
    except FileNotFoundError as exc:
        raise CorruptVersionError(f"{what} is missing; publish again") from exc
    if hashlib.sha256(content).hexdigest() != card.files.get(path):
        raise CorruptVersionError(f"{what} has other bytes than were published; publish again")
    return content


def copy(source: Path, paths: Iterable[str], directory: Path) -> None:
    """Copy the listed files of a version from its local directory to another one."""
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, directory / path)


def cached_copy(objects: Objects, card: ModelCard, cache_directory: Path) -> Path:
    """Return a verified local copy of a version, downloading what is missing or damaged here.

    Raises:
        CorruptVersionError: the store's own bytes are wrong; the message names the file.
    """
    # Two stores may have the same name and version, so the card's digest is part of the place.
    digest = hashlib.sha256(card.to_json().encode()).hexdigest()[:16]
    copy = cache_directory / card.name / f"{card.version}-{digest}"
    try:
        check(copy, card.files, ref=card.ref)
    except CorruptVersionError:
        _download(objects, card, copy)
    return copy


def _download(objects: Objects, card: ModelCard, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix="partial-") as place:
        partial = Path(place) / "version"
        for path in card.files:
            _download_file(objects, f"{card.name}/{card.version}/{path}", partial / path)
        check(partial, card.files, ref=card.ref)
        with turns.alone(copy.parent):
            _put_in_place(partial, copy, card)


def _put_in_place(partial: Path, copy: Path, card: ModelCard) -> None:
    """Move a whole copy to its place; a whole one that is there stays, somebody may be reading it.

    In turns: the next one would take away what has just replaced a damaged copy.
    """
    try:
        partial.rename(copy)
    except OSError:
        try:
            check(copy, card.files, ref=card.ref)
        except CorruptVersionError:
            copy.rename(partial.with_name("damaged"))
            partial.rename(copy)


def _download_file(objects: Objects, path: str, destination: Path) -> None:
    try:
        objects.download(path, destination)
    except FileNotFoundError as exc:
        raise CorruptVersionError(f"file {path} is missing; publish the version again") from exc


def _check_file(path: Path, expected: str, what: str) -> None:
    try:
        found = file_digest(path)
    except OSError as exc:
        raise CorruptVersionError(f"{what} cannot be read ({exc.strerror}); publish again") from exc
    if found != expected:
        raise CorruptVersionError(
            f"{what} has SHA-256 {found[:12]}…, published was {expected[:12]}…; publish again"
        )
