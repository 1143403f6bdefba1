"""Sets of labels that hold the true one for a wanted share of pictures (split conformal).

Source: Sadinle, Lei and Wasserman 2019, "Least Ambiguous Set-Valued Classifiers with Bounded Error
Levels"; the finite-sample quantile as in Angelopoulos and Bates 2021, "A Gentle Introduction to
Conformal Prediction", section 1.
"""

import math

import numpy as np
from numpy.typing import NDArray

WANTED = 0.9

# A label that is likelier than all others together is enough of an answer. A lower threshold only
# makes sets larger, so the promise holds; without the bound a set that has no label at all would
# be the rule for pictures that the model names with 50 to 80 %.
HIGHEST_THRESHOLD = 0.5


def threshold(
    probabilities: NDArray[np.float32], truth: NDArray[np.integer], *, wanted: float = WANTED
) -> float | None:
    """Return the probability from which on a label is in the set; None for too few pictures.

    Of pictures like these at least the `wanted` share then has its true label in its set, on
    average over all of them. With fewer than 9 pictures nothing can promise 90 %.

    Args:
        probabilities: [N, classes] of validation pictures, as they are served.
        truth: The class index of each picture, int [N].
        wanted: Share of pictures.
    """
    n = len(truth)
    rank = math.ceil((n + 1) * wanted)
    if rank > n:
        return None
    misfits = np.sort(1 - probabilities[np.arange(n), truth].astype(np.float64))
    return min(float(1 - misfits[rank - 1]), HIGHEST_THRESHOLD)


def label_set(probabilities: NDArray[np.float32], threshold: float) -> tuple[int, ...]:
    """Return the class indices in the set of one picture's probabilities [classes], best first.

    Where no label reaches the threshold the set has the best two: the model is sure of none, and
    one of them alone would look like an answer.
    """
    order = np.argsort(-probabilities, kind="stable")
    reached = int((probabilities >= threshold).sum())
    return tuple(int(i) for i in order[: reached or 2])
