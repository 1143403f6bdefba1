"""A file that `petiole classify` writes: what is in it already is not done again."""

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from petiole.classified_output import CsvRows, JsonLines, Output, printable

JSON_LINES, CSV = ".jsonl", ".csv"
KINDS = (JSON_LINES, CSV)


class OutputFile:
    """Lines that are added to a file, each whole and at once.

    What a kill left of a last line, or of the last picture's rows, is cut off first.
    """

    def __init__(self, path: Path) -> None:
        """Read which pictures it has.

        Raises:
            ValueError: its name says no kind of file, or it is one of another kind.
            OSError: it cannot be read or written.
        """
        if path.suffix.lower() not in KINDS:
            raise ValueError(f"{path} is of no kind that is written; call it {' or '.join(KINDS)}")
        self._path = path
        whole = _whole_lines(path)
        try:
            names = list(_names(path.suffix.lower(), whole))
        except (ValueError, KeyError, TypeError) as exc:
            raise ValueError(f"{path} is there and is no output of this command") from exc
        self.done = frozenset(names)
        self._is_begun = bool(whole)

    @contextmanager
    def opened(self) -> Iterator[Output]:
        """Give what writes the pictures that are still missing."""
        with self._path.open("a", encoding="utf-8", newline="") as file:

            def write(line: str) -> None:
                file.write(f"{line}\n")
                file.flush()

            if self._path.suffix.lower() == CSV:
                yield CsvRows(write, is_begun=self._is_begun)
            else:
                yield JsonLines(write)

    def has(self, name: str) -> bool:
        """Say whether a picture of this name is in it, with labels or an error."""
        return name in self.done or printable(name) in self.done


def _whole_lines(path: Path) -> list[str]:
    """Return the lines of a file without the last one if it has no end, which is cut off."""
    with path.open("a+b") as file:
        file.seek(0)
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            file.truncate(len(whole))
            os.fsync(file.fileno())
    return whole.decode("utf-8").splitlines()


def _names(kind: str, whole: list[str]) -> Iterator[str]:
    if kind == JSON_LINES:
        yield from (json.loads(line)["path"] for line in whole)
    else:
        yield from (row["path"] for row in csv.DictReader(whole))
