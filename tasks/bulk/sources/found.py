"""What a source gives for each picture, and what it reads from."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from tasks.bulk.items import Slice
from tasks.errors import BadBulkError, JobError, UnsafeNameError

MOST_NAME_BYTES: Final = 4096
PIECE_BYTES: Final = 2**20
MOST_RECORDS: Final = 4_000_000
"""Members or lines of an input, also those that are passed over: empty ones need few bytes each."""
LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx"})
"""What systems leave in folders, in lower case, besides what begins with a dot."""

T = TypeVar("T")

ReadAt = Callable[[int, int], bytes]
"""Returns bytes of an object: from where, how many; fewer at its end."""


@dataclass(frozen=True)
class Found:
    """One picture of an input, or why it cannot be taken."""

    name: str
    slice: Slice | None = None
    url: str = ""
    key: str = ""
    error: JobError | None = None


@dataclass(frozen=True)
class Window:
    """A part of the body, read as if it were alone; kept in pieces, so that small reads are few."""

    read_at: ReadAt
    start: int
    size: int

    def read(self, position: int, length: int) -> bytes:
        """Return up to `length` bytes from a position in the window."""
        length = max(0, min(length, self.size - position))
        return self.read_at(self.start + position, length) if length else b""

    def exactly(self, position: int, length: int) -> bytes:
        """Return that many bytes.

        Raises:
            BadBulkError: it ends before.
        """
        found = self.read(position, length)
        if len(found) < length:
            raise BadBulkError(f"the input ends at byte {self.size}, in the middle of a record")
        return found


def buffered(read_at: ReadAt) -> ReadAt:
    """Return a reader that fetches a piece at a time, for small reads that follow each other."""
    kept_at, kept = 0, b""

    def read(start: int, length: int) -> bytes:
        nonlocal kept_at, kept
        if length > PIECE_BYTES // 4:
            return read_at(start, length)
        if not kept_at <= start <= start + length <= kept_at + len(kept):
            kept_at, kept = start, read_at(start, PIECE_BYTES)
        return kept[start - kept_at : start - kept_at + length]

    return read


def bounded(records: Iterable[T]) -> Iterator[T]:
    """Give records as long as there are not absurdly many.

    Raises:
        BadBulkError: there are.
    """
    for number, record in enumerate(records):
        if number >= MOST_RECORDS:
            raise BadBulkError(f"there are more than {MOST_RECORDS} members or lines in it")
        yield record


def shown(name: bytes) -> str:
    """Return a name in an unknown encoding as text: UTF-8, else as old archives have it."""
    name = name[:MOST_NAME_BYTES]
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437")


def is_litter(path: str) -> bool:
    """Tell whether a file is what a system left there for itself."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    return any(part.startswith(".") or part.casefold() in LITTER for part in parts)


def refuse_climbing(path: str) -> UnsafeNameError | None:
    """Return why a member of this path is not taken: it would lie outside of its archive.

    Nothing is ever written under such a name; whoever packed it meant no good.
    """
    plain = path.replace("\\", "/")
    is_absolute = plain.startswith("/") or plain[1:3] == ":/"
    if is_absolute or ".." in plain.split("/") or "\0" in plain:
        return UnsafeNameError("the member's path leads out of the archive")
    return None
