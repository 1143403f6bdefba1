"""Moves `production`, keeping in `previous` what it was; by hand, or as the end of a trial.

A move of production is one conditional create, so of many at once exactly one does it, and one that
was decided and not done, because its process was killed, is done by whoever finds it.
"""

import logging
from collections.abc import Iterable

from model_store import aliases, publishing, rollouts
from model_store.aliases import AliasChange
from model_store.objects import Objects
from model_store.references import PREVIOUS, PRODUCTION
from model_store.rollouts import Promotion

logger = logging.getLogger(__name__)


def production(objects: Objects, name: str) -> int | None:
    """Return the version in production, or None when there is no visible one.

    Until it is moved it is the first visible version, so that the first publisher needs no second
    write that a kill could leave out.
    """
    version = aliases.current(objects, name, PRODUCTION)
    if version is None:
        return next(iter(publishing.visible_versions(objects, name)), None)
    return version


def promote(objects: Objects, name: str, version: int) -> int:
    """Make a visible version production; return what was.

    Promoting what is production already changes nothing, so `previous` stays of use.
    """
    if production(objects, name) == version:
        return version
    move = begun(objects, name)
    former = aliases.version_at(objects, name, PRODUCTION, move)
    if former == version or _moved(objects, name, version, after=move):
        return former
    # Somebody else moved it in the meantime.
    return promote(objects, name, version)


def begun(objects: Objects, name: str) -> int:
    """Return the number of production's last move, after writing down what it is without one.

    Its history has to begin with the version that was production without being promoted.
    """
    move = aliases.last_number(objects, name, PRODUCTION)
    if move:
        return move
    first, *_ = publishing.visible_versions(objects, name)
    aliases.move(objects, name, PRODUCTION, version=first, after=0)
    return aliases.last_number(objects, name, PRODUCTION)


def promoted_over(history: Iterable[AliasChange], version: int) -> int | None:
    """Return which version this one was promoted over, or None when it was over none that stands.

    A move back to a version that production was before takes back all that was promoted since.
    """
    standing: list[int] = []
    for change in history:
        standing = [*_until(change.version, standing), change.version]
    below = _until(version, standing)
    return below[-1] if below and version in standing else None


def _until(version: int, versions: list[int]) -> list[int]:
    return versions[: versions.index(version)] if version in versions else versions


def conclude(objects: Objects, name: str, number: int, *, outcome: str, promote: bool) -> bool:
    """End the trial with this number, by promoting its version or without; see `ModelStore`."""
    running = rollouts.current(objects, name)
    if running is None or running.number != number:
        return False
    if not promote and rollouts.end(objects, name, number, outcome=outcome, after=number):
        return True
    if promote:
        move = begun(objects, name)
        rollouts.decide(objects, name, running, outcome=outcome, production_move=move)
    return complete(objects, name) and promote


def complete(objects: Objects, name: str) -> bool:
    """Do the promotion that a trial was decided to end with; tells whether this call ended it."""
    decided = rollouts.decided(objects, name)
    if decided is None:
        return False
    outcome = _carried_out(objects, name, decided)
    return rollouts.end(objects, name, decided.rollout, outcome=outcome, after=decided.number)


def _carried_out(objects: Objects, name: str, decided: Promotion) -> str:
    """Move production, unless that is done or overtaken, and return how the trial ended."""
    version, after = decided.version, decided.production_move
    if not publishing.is_visible(objects, name, version):
        return f"not promoted, the version was removed; {decided.outcome}"
    if aliases.version_at(objects, name, PRODUCTION, after) == version:
        # Promoted by hand before the verdict: a move onto itself would lose `previous`.
        return decided.outcome
    if aliases.last_number(objects, name, PRODUCTION) == after:
        _moved(objects, name, version, after=after)
    moved_to = aliases.version_at(objects, name, PRODUCTION, after + 1)
    if moved_to != version:
        return f"not promoted, production was moved to {moved_to} by hand; {decided.outcome}"
    return decided.outcome


def _moved(objects: Objects, name: str, version: int, *, after: int) -> bool:
    former = aliases.version_at(objects, name, PRODUCTION, after)
    # In this order: killed in between, a rollback changes nothing instead of going too far.
    if publishing.is_visible(objects, name, former):
        _remember(objects, name, former)
    moved = aliases.move(objects, name, PRODUCTION, version=version, after=after)
    if moved:
        logger.info("alias moved", extra={"model": name, "alias": PRODUCTION, "version": version})
    return moved


def _remember(objects: Objects, name: str, former: int) -> None:
    if aliases.current(objects, name, PREVIOUS) != former:
        aliases.append(objects, name, PREVIOUS, version=former)
