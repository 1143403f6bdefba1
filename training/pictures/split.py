"""Which pictures train, which choose the settings, and which judge: decided by content alone.

retrain.py hashed the full path, so that moving the folder made 82 % of the former test pictures
training pictures.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.errors import DataError
from training.pictures.data import DataSet, Picture

TRAINING, VALIDATION, TESTING = "training", "validation", "testing"
SPLITS = (TRAINING, VALIDATION, TESTING)
MIN_LABELS = 2


@dataclass(frozen=True)
class Split:
    """The pictures of each part, sorted by path; no group is in two of them."""

    training: tuple[Picture, ...]
    validation: tuple[Picture, ...]
    testing: tuple[Picture, ...]

    def counts(self, labels: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return how many pictures each label has in each part."""
        return {
            label: {name: sum(p.label == label for p in getattr(self, name)) for name in SPLITS}
            for label in labels
        }


def assign(data: DataSet, *, validation_percentage: int, testing_percentage: int) -> Split:
    """Return the three parts of a data set.

    A group's place depends on its own content and, only where a label would otherwise be missing
    from a part, on the label's other groups; so most pictures stay where they are when others are
    added, and all do when files are moved or renamed.

    Raises:
        DataError: nothing could be learned from these pictures; the message says all reasons.
    """
    labels_of = _labels_by_group(data.pictures)
    _refuse_meaningless(data, labels_of)
    places = {
        group: _natural(group, validation_percentage, testing_percentage) for group in labels_of
    }
    for label in data.labels:
        _represent(label, places, labels_of)
    parts = {name: [p for p in data.pictures if places[p.group] == name] for name in SPLITS}
    split = Split(*(tuple(parts[name]) for name in SPLITS))
    refuse_gaps(split, data.labels)
    return split


def share(group: str) -> float:
    """Return a number in [0, 1) that depends on the group only and is spread evenly."""
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _labels_by_group(pictures: Sequence[Picture]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for picture in pictures:
        found[picture.group].add(picture.label)
    return found


def _natural(group: str, validation_percentage: int, testing_percentage: int) -> str:
    percent = 100 * share(group)
    if percent < validation_percentage:
        return VALIDATION
    return TESTING if percent < validation_percentage + testing_percentage else TRAINING


def _represent(label: str, places: dict[str, str], labels_of: dict[str, set[str]]) -> None:
    """Move groups of a label into the parts that have none, from the part with most."""
    groups = sorted((g for g in places if label in labels_of[g]), key=lambda g: (share(g), g))
    for part in (VALIDATION, TESTING, TRAINING):
        held = {name: [g for g in groups if places[g] == name] for name in SPLITS}
        if held[part]:
            continue
        fullest = max(SPLITS, key=lambda name: len(held[name]))
        if len(held[fullest]) > 1:
            # Shares of training are the largest; the nearest to the border moves.
            places[held[fullest][0]] = part


def _refuse_meaningless(data: DataSet, labels_of: dict[str, set[str]]) -> None:
    problems = [*_too_few(data.labels)]
    for label in data.labels:
        groups = sum(label in labels for labels in labels_of.values())
        if groups < len(SPLITS):
            problems.append(
                f"{label} has {groups} independent usable picture(s); training, validation and "
                f"testing need one each, so at least {len(SPLITS)}: add pictures or remove it"
            )
    if problems:
        raise DataError("; ".join(problems))


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


def refuse_gaps(split: Split, labels: Sequence[str]) -> None:
    """Make sure that every label is in every part.

    Raises:
        DataError: with each label and the part that has none of it.
    """
    counts = split.counts(labels)
    gaps = [f"{label} in {part}" for label in labels for part in SPLITS if not counts[label][part]]
    if gaps:
        raise DataError(
            f"no picture of {', '.join(gaps)}: pictures that look alike under several labels must "
            "stay in one part; add pictures or remove the look-alikes"
        )
