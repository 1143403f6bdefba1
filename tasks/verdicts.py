"""What becomes of a trial: its gate promotes or rolls back, its guard takes back.

Carried out by whichever process comes first; a verdict is one conditional write.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from model_store.intervals import lower_bound, upper_bound
from model_store.rollouts import Guard, Rollout
from tasks import audit, statistics, stores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_store import ModelCard, ModelStore
    from model_store.rollouts import Gate
    from tasks.statistics import TrialTotals

PROMOTED, ROLLED_BACK, TAKEN_BACK = "promoted", "rolled back", "taken back"
THE_GATE, THE_GUARD = "the gate of its trial", "its guard"
GUARDED_PICTURES = 400
"""A guard looks at so many, the last ones; at a share of 2 % those of the last 20,000 pictures."""

logger = logging.getLogger(__name__)


def note(production: ModelCard, rollout: Rollout, counts: Mapping[str, float]) -> None:
    """Let the guard of a rollout know what was just compared.

    While a swap is on its way a child may still answer with another version than the guarded one;
    and that the former version failed says nothing of its successor.
    """
    guard = rollout.guard
    if guard and production.version == guard.version and not counts.get("errors"):
        agreed = bool(counts["agreed"])
        stores.findings().note(
            production.name, rollout.number, agreed=agreed, most=guard.comparisons
        )


def judge(store: ModelStore, name: str, rollout: Rollout, counts: Mapping[str, float]) -> None:
    """Carry out what a rollout's gate or guard says, if it says something now.

    Raises:
        ModelStoreError: the store cannot be written to.
        ServiceUnavailableError: the job store cannot be reached.
    """
    if rollout.gate is not None:
        _end(store, name, rollout, rollout.gate, counts)
    if rollout.guard is not None:
        _watch(store, name, rollout, rollout.guard)


def _end(
    store: ModelStore, name: str, rollout: Rollout, gate: Gate, counts: Mapping[str, float]
) -> None:
    """End the trial when its gate has seen enough; one process of all does it."""
    seen = statistics.trial_totals(counts, name, rollout)
    if seen.compared < gate.comparisons:
        return
    passed = _passes(gate, seen)
    outcome = f"{PROMOTED if passed else ROLLED_BACK}: {seen}"
    former = store.resolve(name)[1]
    if not store.conclude_rollout(name, rollout.number, outcome=outcome, promote=passed):
        return
    what = audit.PROMOTED if passed else audit.ROLLED_BACK
    audit.note(what, f"{name}@{rollout.version}", by=THE_GATE, outcome=outcome)
    logger.info("trial over", extra={"model": f"{name}@{rollout.version}", "outcome": outcome})
    if gate.guard_percent and passed:
        _guard(store, name, rollout.version, former, gate)
    elif gate.guard_percent:
        stores.findings().note_int8(f"{name}@{former}", outcome)


def _passes(gate: Gate, seen: TrialTotals) -> bool:
    return (
        seen.errors == 0
        and seen.agreement >= gate.agreement
        and lower_bound(seen.agreement, round(seen.compared)) >= gate.sure_agreement
        and seen.slowdown <= gate.max_slowdown
    )


def _guard(store: ModelStore, name: str, version: int, former: int, gate: Gate) -> None:
    """Let the former version go on beside its successor, unless somebody was faster by hand."""
    if former == version or store.resolve(name)[1] != version:
        return
    guard = Guard(version, gate.agreement, GUARDED_PICTURES)
    rollout = Rollout("shadow", former, gate.guard_percent, guard=guard)
    store.begin_rollout(name, rollout)
    guarded, guards = f"{name}@{version}", f"{name}@{former}"
    audit.note(audit.TRIAL_BEGUN, guarded, by=THE_GATE, kind="guard", guarded_by=guards)
    logger.info("version guarded", extra={"model": guarded, "by": guards})


def _watch(store: ModelStore, name: str, rollout: Rollout, guard: Guard) -> None:
    """Take a version back whose agreement has dropped; end the guard of one that is gone."""
    production = store.resolve(name)[1]
    if production != guard.version:
        outcome = f"over: production is {production}, and {guard.version} needs no guard"
        if store.end_rollout(name, rollout.number, outcome=outcome):
            guarded = f"{name}@{guard.version}"
            audit.note(audit.TRIAL_ENDED, guarded, by=THE_GUARD, kind="guard", outcome=outcome)
        return
    recent = stores.findings().recent(name, rollout.number)
    if recent.compared < guard.comparisons // 4:
        return
    share = recent.agreed / recent.compared
    most = upper_bound(share, recent.compared)
    if most >= guard.agreement:
        return
    outcome = (
        f"{TAKEN_BACK}: agreement of version {guard.version} with {rollout.version} is"
        f" {share:.3f} on the last {recent.compared} pictures, with 95 % certainty below"
        f" {most:.3f}; the bar is {guard.agreement:g}"
    )
    # The version of this trial is the former one: to promote it is to take the other one back.
    if store.conclude_rollout(name, rollout.number, outcome=outcome, promote=True):
        stores.findings().note_int8(f"{name}@{rollout.version}", outcome)
        subject = f"{name}@{guard.version}"
        audit.note(audit.TAKEN_BACK, subject, by=THE_GUARD, outcome=outcome)
        logger.warning(
            "version taken back", extra={"model": f"{name}@{guard.version}", "outcome": outcome}
        )
