"""Temperature for networks that give probabilities: the same as dividing their logits by it."""

import numpy as np
from numpy.typing import NDArray

# The smallest number that float32 tells from 0 with all its digits: a network that gives 0 says no
# more than that.
SMALLEST = float(np.finfo(np.float32).tiny)


def logits_of(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return logits [N, classes] whose softmax is these probabilities [N, classes]."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def scaled(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return softmax(logits / temperature) for what softmax(logits) gave, [N, classes] both.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2; a softmax
    forgets only a constant of each row, which cancels out.
    """
    if temperature == 1:
        return probabilities
    logits = logits_of(probabilities) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    rows: NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return rows
