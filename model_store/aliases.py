"""Aliases of a model's versions: names that move, as a log that is only ever appended to.

Each change is one object `<name>/aliases/<alias>/<number>.json`, created only if that number is
free. The highest number is what the alias means now, and the lower ones are its history. This needs
nothing but a conditional create, which directories, S3 and memory all have; a conditional update is
missing on directories.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from model_store import objects as store_objects
from model_store.objects import Objects


@dataclass(frozen=True)
class AliasChange:
    """One move of an alias: the version it came to mean, and when (UTC, ISO 8601)."""

    version: int
    changed_at: str


def names(objects: Objects, name: str) -> list[str]:
    """Return the aliases that were ever set on a model, sorted."""
    return sorted(store_objects.folders(objects, f"{name}/aliases"))


def current(objects: Objects, name: str, alias: str) -> int | None:
    """Return the version that the alias means now, or None when it was never set."""
    numbers = _numbers(objects, name, alias)
    return _read(objects, _path(name, alias, numbers[-1])).version if numbers else None


def history(objects: Objects, name: str, alias: str) -> tuple[AliasChange, ...]:
    """Return every move of the alias, oldest first."""
    numbers = _numbers(objects, name, alias)
    return tuple(_read(objects, _path(name, alias, number)) for number in numbers)


def begin(objects: Objects, name: str, alias: str, *, version: int) -> bool:
    """Write the first change of an alias; tell whether there was none before."""
    return store_objects.create(objects, _path(name, alias, 1), _change(version))


def append(objects: Objects, name: str, alias: str, *, version: int) -> None:
    """Make the alias mean `version`; of two changes at once the later one holds."""
    number = max(_numbers(objects, name, alias), default=0) + 1
    while not store_objects.create(objects, _path(name, alias, number), _change(version)):
        number += 1


def _change(version: int) -> bytes:
    changed_at = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps(asdict(AliasChange(version, changed_at))).encode()


def _numbers(objects: Objects, name: str, alias: str) -> list[int]:
    entries = store_objects.entries(objects, f"{name}/aliases/{alias}")
    return sorted(int(PurePosixPath(entry).stem) for entry in entries)


def _path(name: str, alias: str, number: int) -> str:
    return f"{name}/aliases/{alias}/{number:08}.json"


def _read(objects: Objects, path: str) -> AliasChange:
    return AliasChange(**json.loads(store_objects.read(objects, path)))
