"""The pictures that a command line names: files, folders, archives, lists, addresses, a pipe."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from petiole import picture_archives
from petiole.client.pictures import is_address
from petiole.picture_archives import ArchiveError, Member

STANDARD_INPUT = "-"
SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    }
)
"""What a folder is searched for; a file that is named itself may be called anything."""
_WITHOUT = f"without pictures ({', '.join(sorted(SUFFIXES))})"


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
    picture: str | Path | bytes | Member


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
    if path.is_dir():
        return "" if next(_inside(path), None) else f"is a folder {_WITHOUT}"
    try:
        return _why_empty(path)
    except ArchiveError as exc:
        return str(exc)


def _why_empty(path: Path) -> str:
    if picture_archives.is_archive(path) and not picture_archives.members(path, SUFFIXES):
        return f"is an archive {_WITHOUT}"
    if picture_archives.is_list(path) and next(picture_archives.lines(path), None) is None:
        return "is a list without a line; write an address or a path on each"
    return ""


def _pictures_of(word: str) -> Iterator[NamedPicture]:
    if word == STANDARD_INPUT:
        yield NamedPicture(word, sys.stdin.buffer.read())
    elif is_address(word):
        yield NamedPicture(word, word)
    elif Path(word).is_dir():
        yield from (NamedPicture(str(path), path) for path in _inside(Path(word)))
    elif picture_archives.is_archive(Path(word)):
        for member in picture_archives.members(Path(word), SUFFIXES):
            yield NamedPicture(f"{word}/{member.path}", member)
    elif picture_archives.is_list(Path(word)):
        for line in picture_archives.lines(Path(word)):
            yield NamedPicture(line, line if is_address(line) else Path(word).parent / line)
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
