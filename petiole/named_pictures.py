"""The pictures that a command line names: files, folders of files, addresses, standard input."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from petiole.client.pictures import is_address

STANDARD_INPUT = "-"
SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    }
)
"""What a folder is searched for; a file that is named itself may be called anything."""


class NoPictureError(Exception):
    """A name is that of no picture; `sentences` say why and what to do, one for each name."""

    def __init__(self, sentences: Sequence[str]) -> None:
        """Say it."""
        super().__init__("; ".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True)
class NamedPicture:
    """A picture and what it is called in the output: as it was named, or its path in a folder."""

    name: str
    picture: str | Path | bytes


def named(words: Sequence[str]) -> list[NamedPicture]:
    """Return the pictures of a command line, in its order, those of a folder by their paths.

    Raises:
        NoPictureError: a name is that of no picture; nothing was read then.
    """
    if problems := [f"{word} {reason}" for word in words if (reason := _why_none(word))]:
        raise NoPictureError(problems)
    if words.count(STANDARD_INPUT) > 1:
        raise NoPictureError(["- can stand once: standard input holds one picture"])
    return [picture for word in words for picture in _pictures_of(word)]


def _why_none(word: str) -> str:
    """Return why a word names no picture, or nothing."""
    if is_address(word):
        return ""
    if word == STANDARD_INPUT:
        is_person = sys.stdin.isatty()
        return "reads a picture that is piped in, as by < a.jpg; none is" if is_person else ""
    if "://" in word:
        return "is an address that cannot be fetched; it must begin with http:// or https://"
    return _why_no_file(Path(word))


def _why_no_file(path: Path) -> str:
    if not path.exists():
        return "does not exist"
    if not os.access(path, os.R_OK):
        return "may not be read"
    if path.is_dir() and next(_inside(path), None) is None:
        return f"is a folder without pictures ({', '.join(sorted(SUFFIXES))})"
    return ""


def _pictures_of(word: str) -> Iterator[NamedPicture]:
    if word == STANDARD_INPUT:
        yield NamedPicture(word, sys.stdin.buffer.read())
    elif is_address(word):
        yield NamedPicture(word, word)
    elif Path(word).is_dir():
        yield from (NamedPicture(str(path), path) for path in _inside(Path(word)))
    else:
        yield NamedPicture(word, Path(word))


def _inside(folder: Path) -> Iterator[Path]:
    """Yield the pictures in a folder and those below it, sorted; what is hidden is not looked at.

    Raises:
        NoPictureError: a folder in it may not be read.
    """
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(place) / name


def _refuse(exc: OSError) -> None:
    raise NoPictureError([f"{exc.filename} cannot be read: {exc.strerror}"])
