"""The lines of a bulk as its client reads them, from any place on that it has got to.

A cursor says how many packs were read, in the order in which they ended, and how many lines of the
next one: `12.7`. Entries are only ever appended, so it means the same for as long as the bulk is.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasks import problems, stores
from tasks.bulk import packs
from tasks.bulk.items import items_of
from tasks.bulk.records import Bulk, Entry
from tasks.documents import ProblemDocument
from tasks.errors import UploadMissingError

AT_ONCE = 64
"""Entries that are asked for at once; an entry's lines are read when their turn comes."""
PATTERN = re.compile(r"(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True)
class Cursor:
    """How far a client has read."""

    entry: int = 0
    line: int = 0

    def __str__(self) -> str:
        """Return it as clients are told it."""
        return f"{self.entry}.{self.line}"

    @classmethod
    def of(cls, text: str) -> "Cursor | None":
        """Return the cursor that a client was told, or None when it is none."""
        match = PATTERN.fullmatch(text)
        return cls(int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True)
class Numbered:
    """A line, and the cursor after it."""

    cursor: Cursor
    text: str


def after(bulk: Bulk, cursor: Cursor) -> Iterator[list[Numbered]]:
    """Give the lines that are there after a cursor, those of one pack at a time.

    Raises:
        UploadMissingError: what a pack wrote is no longer there.
        ServiceUnavailableError: a store did not answer.
    """
    entry = cursor.entry
    while some := stores.prompt_bulks().entries(bulk.bulk_id, start=entry, limit=AT_ONCE):
        for each in some:
            begin = cursor.line if entry == cursor.entry else 0
            lines = _lines(bulk, each)[begin:]
            if lines:
                yield [Numbered(Cursor(entry, begin + i + 1), t) for i, t in enumerate(lines)]
            entry += 1


def _lines(bulk: Bulk, entry: Entry) -> list[str]:
    """Return the lines of a pack; those of one that failed say why, for each of its pictures."""
    problem = ProblemDocument(**json.loads(entry.problem)) if entry.problem else None
    if problem is None:
        try:
            return stores.image_store().get(entry.key).decode().splitlines()
        except UploadMissingError as exc:
            # Somebody emptied the store; the client is told, rather than left to ask for ever.
            problem = problems.of(exc).document("what was found for this picture is gone")
    index = stores.image_store().reader_of(bulk.index)
    items = items_of(index(entry.pack.start, entry.pack.length))
    return [packs.refused_by(item, problem).text for item in items]
