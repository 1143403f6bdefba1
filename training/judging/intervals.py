"""How sure a measured number is: 95 % intervals for shares and for F1 scores.

The evaluation puts one beside every number, since test sets are often a few dozen pictures.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The 97.5 % quantile of the normal distribution, for two-sided intervals of 95 %.
_Z = 1.959963984540054

_RESAMPLES = 1000
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A measured number with its 95 % interval; all three from 0 to 1."""

    value: float
    low: float
    high: float


def wilson(hits: int, total: int) -> Estimate:
    """Return the share `hits` / `total` with its Wilson score interval; `total` is at least 1.

    Unlike the usual ± interval it keeps within 0 and 1 and holds for few pictures and for shares
    near 0 or 1.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    share = hits / total
    shrink = 1 + _Z**2 / total
    centre = (share + _Z**2 / (2 * total)) / shrink
    reach = _Z / shrink * sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    # At shares of 0 and 1 one end equals the share, except for rounding.
    return Estimate(
        share, min(share, max(0.0, centre - reach)), max(share, min(1.0, centre + reach))
    )


def f1_scores(confusion: NDArray[np.int64], *, seed: int) -> tuple[Estimate | None, ...]:
    """Return the F1 score of each class with its bootstrap interval.

    None for a class that has no pictures and was never predicted. The intervals are percentiles of
    1,000 test sets drawn with replacement from this one; for a class that is always right they
    have no width, since nothing else can be drawn.

    Args:
        confusion: Pictures by true class (rows) and predicted class (columns), [classes, classes].
        seed: Equal seeds give equal intervals.

    Source: F1 = 2 TP / (2 TP + FP + FN), van Rijsbergen 1979; percentile bootstrap, Efron 1979.
    """
    scores = _f1(confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))
    drawn = _drawn_f1(confusion, np.random.default_rng(seed))
    return tuple(
        None if np.isnan(score) else _with_percentiles(float(score), drawn[:, i])
        for i, score in enumerate(scores)
    )


def _with_percentiles(score: float, drawn: NDArray[np.float64]) -> Estimate:
    # Draws without any picture of the class say nothing about it.
    low, high = np.nanpercentile(drawn, _PERCENTILES) if not np.isnan(drawn).all() else (0.0, 1.0)
    return Estimate(score, float(low), float(high))


def _drawn_f1(confusion: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    # Drawing pictures with replacement is drawing cells of the matrix: [resamples, classes].
    rows, columns = np.nonzero(confusion)
    total = int(confusion.sum())
    shares = confusion[rows, columns] / total
    draws = (rng.multinomial(total, shares) for _ in range(_RESAMPLES))
    return np.stack([_f1_of_cells(rows, columns, cells, len(confusion)) for cells in draws])


def _f1_of_cells(
    rows: NDArray[np.int64], columns: NDArray[np.int64], cells: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    right = np.bincount(rows, weights=cells * (rows == columns), minlength=classes)
    predicted = np.bincount(columns, weights=cells, minlength=classes)
    return _f1(right, predicted, np.bincount(rows, weights=cells, minlength=classes))


def _f1(right: NDArray[Any], predicted: NDArray[Any], support: NDArray[Any]) -> NDArray[np.float64]:
    seen = (predicted + support).astype(np.float64)
    scores = np.full(len(seen), np.nan)
    np.divide(2 * right, seen, out=scores, where=seen > 0)
    return scores
