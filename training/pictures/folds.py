"""Folds of cross-validation: every group judges once, decided by content alone.

A fold is a `Split` whose testing part is one of K; `cross_validation` trains on each of them.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from training.errors import DataError
from training.pictures import split
from training.pictures.data import DataSet, Picture
from training.pictures.split import Split

# With two folds the half that trains must leave a group for validation, in either half.
_LEAST_GROUPS = 4

Members: TypeAlias = tuple[Picture, ...]


def assign(data: DataSet, *, folds: int, validation_percentage: int) -> tuple[Split, ...]:
    """Return one split for each fold; every picture is in the testing part of exactly one.

    Groups stay together. Each label is spread over the folds as evenly as its groups allow. Names
    and places of files decide nothing, but more pictures can move others to another fold.

    Args:
        data: The usable pictures.
        folds: How many; at least 2.
        validation_percentage: Share of the pictures outside the fold that settings are chosen on.

    Raises:
        DataError: a label has too few groups for so many folds; the message names all of them.
    """
    groups = _groups(data.pictures)
    _refuse_few(data.labels, groups, folds)
    testing = _divided(groups, folds)
    found = tuple(_fold(groups, part, i, validation_percentage) for i, part in enumerate(testing))
    for each in found:
        split.refuse_gaps(each, data.labels)
    return found


def _groups(pictures: Sequence[Picture]) -> dict[str, Members]:
    """Return the pictures of each group, in an order that depends on the groups' names only."""
    members: defaultdict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        members[picture.group].append(picture)
    return {name: tuple(members[name]) for name in sorted(members, key=split.share)}


def _refuse_few(labels: Sequence[str], groups: dict[str, Members], folds: int) -> None:
    split.refuse_one_label(labels)
    least = max(folds, _LEAST_GROUPS)
    held = Counter(label for members in groups.values() for label in {p.label for p in members})
    few = [f"{label} has {held[label]}" for label in labels if held[label] < least]
    if few:
        raise DataError(
            f"{', '.join(few)} independent usable picture(s); cross_validate {folds} needs "
            f"{least} of every label: add pictures, remove the label or use fewer folds"
        )


def _divided(groups: dict[str, Members], parts: int) -> list[set[str]]:
    """Return the groups' names in parts that have about the same number of each label.

    The largest group goes first, each to the part that lacks its labels most. A label with as many
    groups as there are parts is in every part, since one without it lacks it most.
    """
    totals = Counter(p.label for members in groups.values() for p in members)
    counts: list[Counter[str]] = [Counter() for _ in range(parts)]
    found: list[set[str]] = [set() for _ in range(parts)]

    def fullness(part: int, members: Members) -> tuple[float, int]:
        have = counts[part]
        shares = sum(have[label] / totals[label] for label in {p.label for p in members})
        return shares, have.total()

    for name in sorted(groups, key=lambda name: -len(groups[name])):
        members = groups[name]
        place = min(range(parts), key=lambda part: fullness(part, members))
        counts[place].update(p.label for p in members)
        found[place].add(name)
    return found


def _fold(groups: dict[str, Members], testing: set[str], number: int, percentage: int) -> Split:
    rest = {name: groups[name] for name in groups if name not in testing}
    validation = _validating(rest, number, percentage)
    return Split(
        training=_pictures(groups, rest.keys() - validation),
        validation=_pictures(groups, validation),
        testing=_pictures(groups, testing),
    )


def _validating(groups: dict[str, Members], number: int, percentage: int) -> set[str]:
    """Return a share of each label's groups: at least one, never all, other ones in each fold."""
    chosen: set[str] = set()
    order = sorted(groups, key=lambda name: split.share(f"{number} {name}"))
    for label in sorted({p.label for members in groups.values() for p in members}):
        sizes = {n: size for n in order if (size := sum(p.label == label for p in groups[n]))}
        # A group that is larger than the whole share fits only where there is no smaller one.
        most = max(sum(sizes.values()) * percentage / 100, min(sizes.values()))
        taken = sum(sizes[name] for name in chosen & sizes.keys())
        for name, size in sizes.items():
            if name not in chosen and taken + size <= most:
                chosen.add(name)
                taken += size
    return chosen


def _pictures(groups: dict[str, Members], names: set[str]) -> tuple[Picture, ...]:
    return tuple(sorted((p for name in names for p in groups[name]), key=lambda p: p.path))
