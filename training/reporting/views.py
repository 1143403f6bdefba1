"""Rows, cells and groups as the report shows them, made from what was recorded and measured."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.judging.evaluation import ClassScores, Evaluation
from training.reporting.record import RunData

# More cells than this have no room for their number on a page.
MOST_MATRIX_CLASSES = 50
# Of more classes the worst come first.
IN_CLASS_ORDER = 20
MOST_SET_ASIDE_ROWS = 500

# Where a cell gets the light text that dark fills need.
_FULL = 0.55
# A single mistake among many pictures must still be seen.
_FAINTEST = 0.15

_SPLIT = re.compile(r"(?:^|[\W_])(train(?:ing)?|val(?:idation)?|test)(?=$|[\W_])", re.IGNORECASE)


@dataclass(frozen=True)
class Counts:
    """Pictures by class and split: the names of the splits, a row a class, and the sums."""

    splits: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    sums: tuple[int, ...]


@dataclass(frozen=True)
class SetAsideTable:
    """Pictures that were not used: how many for each reason, and the first of them."""

    total: int
    reasons: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cell:
    """A number in the confusion matrix; `fill` is how strongly it is coloured, from 0 to 1."""

    count: int
    fill: float
    right: bool
    full: bool
    predicted_label: str


def counts(data: RunData) -> Counts:
    """Return the table of how many pictures each label has in each part."""
    classes = data.counts
    splits = tuple(dict.fromkeys(split for each in classes.values() for split in each))
    rows = tuple(
        (label, tuple(each.get(split, 0) for split in splits)) for label, each in classes.items()
    )
    sums = tuple(sum(row[i] for _, row in rows) for i in range(len(splits)))
    return Counts(splits, rows, sums)


def set_aside(data: RunData) -> SetAsideTable:
    """Return the table of pictures that were not used, the commonest reasons first.

    Reasons that differ only after a colon are counted together.
    """
    rows = [(each.path, each.reason) for each in data.set_aside]
    reasons = Counter(reason.partition(":")[0] for _, reason in rows)
    return SetAsideTable(len(rows), tuple(reasons.most_common()), tuple(rows[:MOST_SET_ASIDE_ROWS]))


def classes(evaluation: Evaluation) -> Sequence[ClassScores]:
    """Return the scores in class order or, of more than 20 classes, the lowest F1 first."""
    if len(evaluation.labels) <= IN_CLASS_ORDER:
        return evaluation.per_class
    return sorted(evaluation.per_class, key=_f1_or_last)


def matrix(evaluation: Evaluation) -> list[list[Cell]]:
    """Return the rows of the confusion matrix; none when there are more than 50 classes."""
    if len(evaluation.labels) > MOST_MATRIX_CLASSES:
        return []
    return [_cells(evaluation, i) for i in range(len(evaluation.labels))]


def panels(curves: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Sequence[float]]]:
    """Return drawings by title, each with its lines by name; curves without a number are left out.

    `train_loss` and `validation_loss` are the lines `train` and `validation` of `loss`.
    """
    drawings: dict[str, dict[str, Sequence[float]]] = {}
    for name, values in curves.items():
        if any(each is not None and math.isfinite(each) for each in values):
            title, line = _title_and_line(name)
            drawings.setdefault(title, {})[line] = values
    return drawings


def _title_and_line(name: str) -> tuple[str, str]:
    found = _SPLIT.search(name)
    title = name if found is None else name[: found.start()] + " " + name[found.end() :]
    title = re.sub(r"[_\s/.]+", " ", title).strip()
    return title or name, "" if found is None else found[1]


def _f1_or_last(scores: ClassScores) -> float:
    return scores.f1.value if scores.f1 else 2.0


def _cells(evaluation: Evaluation, i: int) -> list[Cell]:
    row = evaluation.confusion[i].tolist()
    total = sum(row)
    return [
        _cell(count, count / total if total else 0, i == j, evaluation.labels[j])
        for j, count in enumerate(row)
    ]


def _cell(count: int, share: float, right: bool, predicted_label: str) -> Cell:
    fill = round(_FAINTEST + (1 - _FAINTEST) * share, 2) if count else 0
    return Cell(count, fill, right, fill > _FULL, predicted_label)
