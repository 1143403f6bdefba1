"""Trials of a version beside production: which share of the pictures, until which verdict.

Kept like an alias, as a log that is only ever appended to: `<name>/rollouts/<number>.json`.
The last entry holds. Beginning and ending are conditional creates of the next number, so of
many workers that end a trial at once exactly one does.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal

from model_store import objects as store_objects
from model_store.objects import Objects

Kind = Literal["canary", "shadow"]


@dataclass(frozen=True)
class Gate:
    """When a trial ends by itself, and how.

    Attributes:
        agreement: Share of the compared pictures with the same best label, at least.
        comparisons: Pictures to compare before the verdict.
        max_slowdown: Mean predict time of the candidate by that of production, at most.
    """

    agreement: float
    comparisons: int
    max_slowdown: float = 2.0


@dataclass(frozen=True)
class Rollout:
    """A trial: `canary` answers its share of the pictures, `shadow` is only compared.

    `number` is its place in the log, and so its identity.
    """

    kind: Kind
    version: int
    percent: float
    gate: Gate | None = None
    number: int = 0


def current(objects: Objects, name: str) -> Rollout | None:
    """Return the trial that runs now, or None."""
    numbers = _numbers(objects, name)
    if not numbers:
        return None
    entry = json.loads(store_objects.read(objects, _path(name, numbers[-1])))
    return _rollout(entry, numbers[-1]) if entry["kind"] != "ended" else None


def begin(objects: Objects, name: str, rollout: Rollout) -> Rollout:
    """Start a trial in place of one that may be running; returns it with its number."""
    number = max(_numbers(objects, name), default=0) + 1
    while not store_objects.create(objects, _path(name, number), _entry(**asdict(rollout))):
        number += 1
    return _rollout(asdict(rollout), number)


def end(objects: Objects, name: str, number: int, *, outcome: str) -> bool:
    """End the trial with this number; tells whether this call did it."""
    if (now := current(objects, name)) is None or now.number != number:
        return False
    entry = _entry(kind="ended", rollout=number, outcome=outcome)
    return store_objects.create(objects, _path(name, number + 1), entry)


def last_outcome(objects: Objects, name: str) -> str:
    """Return how the last trial ended; empty when none ever ended or one runs."""
    numbers = _numbers(objects, name)
    if not numbers:
        return ""
    entry = json.loads(store_objects.read(objects, _path(name, numbers[-1])))
    return str(entry.get("outcome", ""))


def _rollout(entry: dict[str, Any], number: int) -> Rollout:
    gate = Gate(**entry["gate"]) if entry["gate"] else None
    return Rollout(entry["kind"], entry["version"], entry["percent"], gate, number)


def _entry(**members: Any) -> bytes:
    written_at = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({**members, "written_at": written_at}).encode()


def _numbers(objects: Objects, name: str) -> list[int]:
    entries = store_objects.entries(objects, f"{name}/rollouts")
    return sorted(int(PurePosixPath(entry).stem) for entry in entries)


def _path(name: str, number: int) -> str:
    return f"{name}/rollouts/{number:08}.json"
