"""A log that is only ever appended to: what aliases and trials are kept as.

Each entry is one object `<folder>/<number>.json`, created only if that number is free. The highest
number is what holds now, and the lower ones are its history. This needs nothing but a conditional
create, which directories, S3 and memory all have; a conditional update is missing on directories.
"""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from model_store.objects import Objects

Entry = Mapping[str, Any]


class Log:
    """The entries in one folder, numbered from 1."""

    def __init__(self, objects: Objects, folder: str) -> None:
        """Look at `folder`; it need not be there."""
        self._objects, self._folder = objects, folder

    def numbers(self) -> list[int]:
        """Return the numbers of the entries, ascending."""
        names = self._objects.entries(self._folder)
        return sorted(int(PurePosixPath(name).stem) for name in names)

    def last_number(self) -> int:
        """Return the number of the entry that holds; 0 where there is none."""
        return max(self.numbers(), default=0)

    def last(self) -> tuple[int, dict[str, Any]]:
        """Return the entry that holds, and its number; 0 and an empty one where there is none."""
        number = self.last_number()
        return number, self.read(number) if number else {}

    def read(self, number: int) -> dict[str, Any]:
        """Return one entry.

        Raises:
            FileNotFoundError: there is none of that number.
        """
        entry: dict[str, Any] = json.loads(self._objects.read(self._path(number)))
        return entry

    def add(self, number: int, entry: Entry) -> bool:
        """Write the entry of that number; of many who do so at once exactly one is told True."""
        return self._objects.create(self._path(number), json.dumps(entry).encode())

    def append(self, entry: Entry) -> int:
        """Write the next entry and return its number; of two at once the later one holds."""
        number = self.last_number() + 1
        while not self.add(number, entry):
            number += 1
        return number

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number:08}.json"
