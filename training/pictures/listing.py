"""Files by path, however they are kept: what every kind of place lists, and the limits on it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from training.errors import DataError
from training.pictures import names

_T = TypeVar("_T")

# Far more than anyone trains on here; what goes on for ever ends there, such as links in circles.
MOST_FILES = 2_000_000
# Of one file. The largest pictures of cameras have a third of it; films have more.
MOST_FILE_BYTES = 256 * 2**20
# Pictures are compressed already; an archive that grows more than this was made to fill a disk.
MOST_TIMES_LARGER = 100
# However small an archive is, so much may come out of it.
ALWAYS_ALLOWED_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Listing:
    """What lies at a place.

    Attributes:
        paths: With `/` between their parts, once each; a folder has one at the end as well.
        notes: What was left out, and why, a sentence each.
    """

    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Files(Protocol):
    """Files of one place. Threads may read at the same time."""

    def listing(self) -> Listing:
        """Return what lies there.

        Raises:
            DataError: it is more than `MOST_FILES`, or no usable place at all.
        """
        ...

    def read(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            OSError: it cannot be read, or has more than `MOST_FILE_BYTES`.
        """
        ...


@dataclass(frozen=True)
class LeftOut:
    """Counts what is not listed, by reason."""

    litter: Counter[str] = field(default_factory=Counter)
    others: dict[str, list[str]] = field(default_factory=dict)

    def without_litter(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield the paths that are not a system's own, and count the others."""
        for path in paths:
            if found := names.litter_in(path):
                self.litter[found] += 1
            else:
                yield path

    def only_inside(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield the paths that stay inside an archive, and note the others."""
        for path in paths:
            if path.startswith("/") or ".." in path.split("/"):
                self.add(path, "its path leads out of the archive")
            else:
                yield path

    def add(self, path: str, reason: str) -> None:
        """Count a path that is left out for a reason, which goes on after `is`."""
        self.others.setdefault(reason, []).append(path)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each reason."""
        return tuple([*self._litter(), *self._others()])

    def _litter(self) -> Iterator[str]:
        if self.litter:
            found = (f"{names.shown(name)} ({n})" for name, n in sorted(self.litter.items()))
            yield f"Left out, as systems put them there: {_first(list(found))}"

    def _others(self) -> Iterator[str]:
        for reason, paths in sorted(self.others.items()):
            yield f"Left out, as {reason}: {_first(list(map(names.shown, sorted(paths))))}"


def bounded(paths: Iterable[_T], place: object) -> Iterator[_T]:
    """Yield paths or what stands for them, at most `MOST_FILES`.

    Raises:
        DataError: there are more.
    """
    for n, path in enumerate(paths):
        if n >= MOST_FILES:
            raise DataError(
                f"{place} has more than {MOST_FILES} files and folders; at most so many are listed"
            )
        yield path


def small_enough(content: bytes) -> bytes:
    """Return what was read, unless it is more than `MOST_FILE_BYTES`.

    Raises:
        OSError: it is.
    """
    refuse_size(len(content))
    return content


def refuse_size(n_bytes: int) -> None:
    """Make sure that a file is small enough to be read.

    Raises:
        OSError: it has more than `MOST_FILE_BYTES`.
    """
    if n_bytes > MOST_FILE_BYTES:
        raise OSError(f"it is larger than {MOST_FILE_BYTES // 2**20} MiB, so no picture")


def most_unpacked_bytes(archive: Path) -> int:
    """Return how much may come out of an archive."""
    return max(ALWAYS_ALLOWED_BYTES, MOST_TIMES_LARGER * archive.stat().st_size)


def refuse_bomb(archive: Path, n_bytes: int) -> None:
    """Make sure that what comes out of an archive is not absurdly large.

    Raises:
        DataError: it is more than `most_unpacked_bytes`.
    """
    if n_bytes > most_unpacked_bytes(archive):
        raise DataError(
            f"{archive} would be more than {MOST_TIMES_LARGER} times larger unpacked, which no "
            "pictures are; unpack it yourself if it is meant so, and give the folder"
        )


def _first(texts: list[str], n: int = 5) -> str:
    more = f" and {len(texts) - n} more" if len(texts) > n else ""
    return ", ".join(texts[:n]) + more
