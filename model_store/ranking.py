"""The best labels of one picture; the last step before an answer leaves the worker."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_store.predictions import Prediction


def top_k(
    probabilities: NDArray[np.float32], labels: Sequence[str], k: int
) -> tuple[Prediction, ...]:
    """Return the `k` most probable labels, best first; equal ones in class order.

    Args:
        probabilities: One picture's probabilities, float32 [classes].
        labels: The label of each class.
        k: How many to return; more than there are classes means all.
    """
    best = _best_indices(probabilities, min(k, len(probabilities)))
    return tuple(Prediction(labels[i], int(i), float(probabilities[i])) for i in best)


def _best_indices(probabilities: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    threshold = np.partition(probabilities, -k)[-k]
    # All that equal the k-th value are kept until here, so that ties fall to the lower index.
    candidates = np.flatnonzero(probabilities >= threshold)
    order = np.argsort(-probabilities[candidates], kind="stable")
    return candidates[order[:k]]
