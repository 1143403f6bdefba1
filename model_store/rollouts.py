"""Trials of a version beside production: which share of the pictures, until which verdict.

Kept like an alias, as a log `<name>/rollouts/`, whose last entry holds: a trial, its decided
promotion, or its end. Each is a conditional create of the next number, so of many workers that
judge a trial at once exactly one does it.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from model_store.log import Log
from model_store.objects import Objects

Kind = Literal["canary", "shadow"]
PROMOTING, ENDED = "promoting", "ended"


@dataclass(frozen=True)
class Gate:
    """When a trial ends by itself, and how.

    Attributes:
        agreement: Share of the compared pictures with the same best label, at least.
        comparisons: Pictures to compare before the verdict.
        max_slowdown: Mean predict time of the candidate by that of production, at most.
        sure_agreement: What `agreement` is with 95 % certainty, at least.
        guard_percent: After its promotion, the share of the pictures on which the version is held
            against what was production before, see `Guard`; 0 for none.
    """

    agreement: float
    comparisons: int
    max_slowdown: float = 2.0
    sure_agreement: float = 0.0
    guard_percent: float = 0.0


@dataclass(frozen=True)
class Guard:
    """When a version that was promoted is taken back: its agreement with the one before it drops.

    Attributes:
        version: What is production while it is guarded; the trial's own version is the one before.
        agreement: Taken back once the share of the same best label is surely below this.
        comparisons: Of so many pictures, the last ones; judged from a quarter of them on.
    """

    version: int
    agreement: float
    comparisons: int


@dataclass(frozen=True)
class Rollout:
    """A trial: `canary` answers its share of the pictures, `shadow` is only compared.

    With a guard it is no new version that is tried, but the former one that goes on beside.

    `number` is its place in the log, and so its identity.
    """

    kind: Kind
    version: int
    percent: float
    gate: Gate | None = None
    number: int = 0
    guard: Guard | None = None


@dataclass(frozen=True)
class Promotion:
    """The promotion that a trial was decided to end with, and that may not be done yet.

    Attributes:
        number: Its place in the log; its end is the next one.
        rollout: Number of the trial.
        version: What becomes production.
        outcome: How the trial ends once that is done.
        production_move: Number of the move that made production what it was at the verdict.
    """

    number: int
    rollout: int
    version: int
    outcome: str
    production_move: int


def current(objects: Objects, name: str) -> Rollout | None:
    """Return the trial that runs now, or None; it runs until its end is written."""
    log = _log(objects, name)
    number, entry = log.last()
    if entry.get("kind") == PROMOTING:
        number = entry["rollout"]
        entry = log.read(number)
    return None if entry.get("kind", ENDED) == ENDED else _rollout(entry, number)


def begin(objects: Objects, name: str, rollout: Rollout) -> Rollout:
    """Start a trial in place of one that may be running; returns it with its number."""
    number = _log(objects, name).append(_entry(**asdict(rollout)))
    return _rollout(asdict(rollout), number)


def decide(
    objects: Objects, name: str, rollout: Rollout, *, outcome: str, production_move: int
) -> bool:
    """Note that a trial ends with a promotion, before it is done; tells whether this call did it.

    Only the first verdict on a trial is written.
    """
    entry = _entry(
        kind=PROMOTING,
        rollout=rollout.number,
        version=rollout.version,
        outcome=outcome,
        production_move=production_move,
    )
    return _log(objects, name).add(rollout.number + 1, entry)


def decided(objects: Objects, name: str) -> Promotion | None:
    """Return the promotion that is decided and whose end is not written yet, or None."""
    number, entry = _log(objects, name).last()
    if entry.get("kind") != PROMOTING:
        return None
    return Promotion(
        number, entry["rollout"], entry["version"], entry["outcome"], entry["production_move"]
    )


def end(objects: Objects, name: str, number: int, *, outcome: str, after: int) -> bool:
    """End the trial with this number; tells whether this call did it.

    `after` is the entry that holds: the trial's own, or its decided promotion.
    """
    entry = _entry(kind=ENDED, rollout=number, outcome=outcome)
    return _log(objects, name).add(after + 1, entry)


def last_outcome(objects: Objects, name: str) -> str:
    """Return how the last trial ended; empty when none ever ended or one runs."""
    _, entry = _log(objects, name).last()
    return str(entry["outcome"]) if entry.get("kind") == ENDED else ""


def _rollout(entry: dict[str, Any], number: int) -> Rollout:
    gate = Gate(**entry["gate"]) if entry["gate"] else None
    guard = Guard(**entry["guard"]) if entry.get("guard") else None
    return Rollout(entry["kind"], entry["version"], entry["percent"], gate, number, guard)


def _entry(**members: Any) -> dict[str, Any]:
    return {**members, "written_at": datetime.now(UTC).isoformat(timespec="seconds")}


def _log(objects: Objects, name: str) -> Log:
    return Log(objects, f"{name}/rollouts")
