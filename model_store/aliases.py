"""Aliases of a model's versions: names that move; each is a log `<name>/aliases/<alias>/`.

The last entry is what the alias means now, and those before it are its history.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from model_store.log import Log
from model_store.objects import Objects


@dataclass(frozen=True)
class AliasChange:
    """One move of an alias: the version it came to mean, and when (UTC, ISO 8601)."""

    version: int
    changed_at: str


def names(objects: Objects, name: str) -> list[str]:
    """Return the aliases that were ever set on a model, sorted."""
    return sorted(objects.folders(f"{name}/aliases"))


def current(objects: Objects, name: str, alias: str) -> int | None:
    """Return the version that the alias means now, or None when it was never set."""
    number, entry = _log(objects, name, alias).last()
    return AliasChange(**entry).version if number else None


def history(objects: Objects, name: str, alias: str) -> tuple[AliasChange, ...]:
    """Return every move of the alias, oldest first."""
    log = _log(objects, name, alias)
    return tuple(AliasChange(**log.read(number)) for number in log.numbers())


def last_number(objects: Objects, name: str, alias: str) -> int:
    """Return how often the alias moved, which is the number of its last move."""
    return _log(objects, name, alias).last_number()


def version_at(objects: Objects, name: str, alias: str, number: int) -> int:
    """Return the version that the alias came to mean with the move of that number."""
    return AliasChange(**_log(objects, name, alias).read(number)).version


def move(objects: Objects, name: str, alias: str, *, version: int, after: int) -> bool:
    """Make the alias mean `version`, unless it has moved since its move number `after`.

    `after` is 0 for an alias that was never set. Tells whether this call moved it.
    """
    return _log(objects, name, alias).add(after + 1, _change(version))


def append(objects: Objects, name: str, alias: str, *, version: int) -> None:
    """Make the alias mean `version`; of two changes at once the later one holds."""
    _log(objects, name, alias).append(_change(version))


def _change(version: int) -> dict[str, Any]:
    return asdict(AliasChange(version, datetime.now(UTC).isoformat(timespec="seconds")))


def _log(objects: Objects, name: str, alias: str) -> Log:
    return Log(objects, f"{name}/aliases/{alias}")
