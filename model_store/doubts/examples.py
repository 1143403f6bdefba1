"""What people are told of a version's references; it loads no NumPy, as the API gives thumbnails.

Labels are always kept. Names of files and thumbnails may be private, so they are kept on request.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from model_store.errors import CorruptVersionError, ModelFormatError

FOLDER = "trust/"
EXAMPLES, THUMBNAILS = "trust/references.json", "trust/thumbnails.zip"
THUMBNAIL_PIXELS = 96
# What somebody else's version may take of the API's memory; one made here has 2 to 5 KB.
MOST_BYTES = 65_536


@dataclass(frozen=True)
class Example:
    """One reference picture.

    Attributes:
        label: What it shows.
        name: Of its file, without folders; None where that is not kept.
        has_thumbnail: Whether a small copy of it is kept.
    """

    label: str
    name: str | None = None
    has_thumbnail: bool = False


@dataclass(frozen=True)
class Examples:
    """The reference pictures in the order of their features, and thumbnails by their numbers.

    `thumbnails` are JPEGs, and only there where a version is made.
    """

    pictures: tuple[Example, ...]
    thumbnails: dict[int, bytes] = field(default_factory=dict)

    @property
    def are_shown(self) -> bool:
        """Whether there are thumbnails."""
        return bool(self.thumbnails)

    def save(self, directory: Path) -> None:
        """Write them as files of a version."""
        place = directory / EXAMPLES
        place.parent.mkdir(parents=True, exist_ok=True)
        said = {"references": [_told(each) for each in self.pictures]}
        place.write_text(json.dumps(said, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")
        if self.thumbnails:
            (directory / THUMBNAILS).write_bytes(_archive(self.thumbnails))


def load(directory: Path, *, references: int) -> tuple[Example, ...]:
    """Return the reference pictures of a version, whose verified files are in `directory`.

    Raises:
        ModelFormatError: the file is no such list, or not of so many `references`.
    """
    try:
        listed = json.loads((directory / EXAMPLES).read_text("utf-8"))["references"]
        found = tuple(_example(each) for each in listed)
    except (ValueError, KeyError, TypeError) as exc:
        raise ModelFormatError(f"{EXAMPLES} is no list of references: {exc}") from exc
    if len(found) != references:
        raise ModelFormatError(f"{EXAMPLES} has {len(found)} references; expected {references}")
    return found


def thumbnail(archive: bytes, number: int) -> bytes | None:
    """Return the thumbnail of a reference as a JPEG; None where there is none.

    Raises:
        CorruptVersionError: the archive cannot be read, or the picture is too large for one.
    """
    try:
        with zipfile.ZipFile(BytesIO(archive)) as opened:
            entry = opened.NameToInfo.get(_entry(number))
            if entry is None:
                return None
            if entry.file_size > MOST_BYTES:
                said = f"{entry.file_size} bytes; at most {MOST_BYTES} are given"
                raise CorruptVersionError(f"{THUMBNAILS}: {entry.filename} has {said}")
            return opened.read(entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as exc:
        raise CorruptVersionError(f"{THUMBNAILS} cannot be read: {exc}; publish again") from exc


def chosen(n: int, limit: int) -> Sequence[int]:
    """Return which of `n` pictures are taken, evenly, where `limit` are enough."""
    taken = min(n, limit)
    return [i * n // taken for i in range(taken)]


def _told(example: Example) -> dict[str, Any]:
    name = {} if example.name is None else {"name": example.name}
    shown = {"thumbnail": True} if example.has_thumbnail else {}
    return {"label": example.label} | name | shown


def _example(told: dict[str, Any]) -> Example:
    label, name = told["label"], told.get("name")
    if not isinstance(label, str) or not isinstance(name, str | None):
        raise TypeError("a label or a name is no text")
    (name or "").encode()  # What is no UTF-8 would end a job that was answered.
    return Example(label, name, told.get("thumbnail") is True)


def _archive(thumbnails: dict[int, bytes]) -> bytes:
    """Return an archive of JPEGs, the same bytes for the same pictures."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for number, jpeg in sorted(thumbnails.items()):
            archive.writestr(zipfile.ZipInfo(_entry(number)), jpeg)
    return content.getvalue()


def _entry(number: int) -> str:
    return f"{number}.jpg"
