"""Which pictures train, which choose the settings, and which judge: decided by content alone.

retrain.py hashed the full path, so that moving the folder made 82 % of the former test pictures
training pictures.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from training.errors import DataError
from training.pictures.data import DataSet, Picture
from training.pictures.parts import SPLITS, TESTING, TRAINING, VALIDATION

MIN_LABELS = 2


@dataclass(frozen=True)
class Split:
    """The pictures of each part, sorted by path; no group is in two of them."""

    training: tuple[Picture, ...]
    validation: tuple[Picture, ...]
    testing: tuple[Picture, ...]

    def counts(self, labels: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return how many pictures each label has in each part."""
        found = {name: Counter(p.label for p in getattr(self, name)) for name in SPLITS}
        return {label: {name: found[name][label] for name in SPLITS} for label in labels}


def assign(data: DataSet, *, validation_percentage: int, testing_percentage: int) -> Split:
    """Return the three parts of a data set.

    A part that the set itself is divided into is kept as it is. A part that it lacks comes out of
    its training pictures, which are all of them where it is not divided at all.

    A group's place depends on its own content and, only where a label would otherwise be missing
    from a part, on the label's other groups; so most pictures stay where they are when others are
    added, and all do when files are moved or renamed.

    Raises:
        DataError: nothing could be learned from these pictures; the message says all reasons.
    """
    groups = _groups_by_label(p for p in data.pictures if p.part in {"", TRAINING})
    divided = _divided(data)
    _refuse_meaningless(data, groups, divided)
    percentages = {VALIDATION: validation_percentage, TESTING: testing_percentage}
    shares = {part: n for part, n in percentages.items() if part in divided}
    places = {group: _natural(group, shares) for held in groups.values() for group in held}
    for label in data.labels:
        _represent(groups[label], places, divided)
    places |= {p.group: p.part for p in data.pictures if p.part not in {"", TRAINING}}
    parts = {name: [p for p in data.pictures if places[p.group] == name] for name in SPLITS}
    split = Split(*(tuple(parts[name]) for name in SPLITS))
    refuse_gaps(split, data.labels, divided)
    return split


def share(group: str) -> float:
    """Return a number in [0, 1) that depends on the group only and is spread evenly."""
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _divided(data: DataSet) -> tuple[str, ...]:
    """Return the parts that are made of the pictures that could train, and training."""
    return tuple(part for part in SPLITS if part == TRAINING or part not in data.given_parts)


def _groups_by_label(pictures: Iterable[Picture]) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for picture in pictures:
        found[picture.label].add(picture.group)
    return found


def _natural(group: str, percentages: Mapping[str, int]) -> str:
    """Return validation or testing as often as the percentages say, else training."""
    percent, border = 100 * share(group), 0
    for part, percentage in percentages.items():
        border += percentage
        if percent < border:
            return part
    return TRAINING


def _represent(groups: Collection[str], places: dict[str, str], parts: Sequence[str]) -> None:
    """Move groups of a label into the parts that have none, from the part with most."""
    ordered = sorted(groups, key=lambda group: (share(group), group))
    for part in (*parts[1:], *parts[:1]):
        held = {name: [g for g in ordered if places[g] == name] for name in parts}
        if held[part]:
            continue
        fullest = max(parts, key=lambda name: len(held[name]))
        if len(held[fullest]) > 1:
            # Shares of training are the largest; the nearest to the border moves.
            places[held[fullest][0]] = part


def _refuse_meaningless(
    data: DataSet, groups: Mapping[str, Collection[str]], parts: Sequence[str]
) -> None:
    problems = [*_too_few(data.labels)]
    for label in data.labels:
        n = len(groups.get(label, ()))
        if n < len(parts):
            problems.append(
                f"{label} has {n} independent usable picture(s){_where(data)}; {_listed(parts)} "
                f"need one each, so at least {len(parts)}: add pictures or remove it"
            )
    if problems:
        raise DataError("; ".join(problems))


def _where(data: DataSet) -> str:
    return " for training" if data.given_parts else ""


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def refuse_one_label(labels: Sequence[str]) -> None:
    """Make sure that there is something to tell apart.

    Raises:
        DataError: there are fewer than two labels.
    """
    for problem in _too_few(labels):
        raise DataError(problem)


def _too_few(labels: Sequence[str]) -> Iterator[str]:
    if len(labels) < MIN_LABELS:
        yield (
            f"found {len(labels)} label folder(s) ({', '.join(labels) or 'none'}); "
            f"give image_dir a folder with at least {MIN_LABELS} folders of pictures, one a label"
        )


def gaps(split: Split, labels: Sequence[str], parts: Collection[str] = SPLITS) -> list[str]:
    """Return each label with a part that has no picture of it, as in `daisy in testing`."""
    counts = split.counts(labels)
    return [f"{label} in {part}" for label in labels for part in parts if not counts[label][part]]


def refuse_gaps(split: Split, labels: Sequence[str], parts: Collection[str] = SPLITS) -> None:
    """Make sure that every label is in every one of these parts.

    Raises:
        DataError: with each label and the part that has none of it.
    """
    if found := gaps(split, labels, parts):
        raise DataError(
            f"no picture of {', '.join(found)}: pictures that look alike under several labels must "
            "stay in one part; add pictures or remove the look-alikes"
        )
