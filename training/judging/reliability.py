"""Whether a model's probabilities can be believed: how far they are from how often it is right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.judging.intervals import Estimate, wilson
from training.judging.temperature import Floats, Integers


@dataclass(frozen=True)
class ReliabilityBin:
    """The pictures whose highest probability lies in (`lower`, `upper`].

    `confidence` is the mean of that probability and `accuracy` the share that was right, with its
    Wilson interval; both are None in an empty bin.
    """

    lower: float
    upper: float
    count: int
    confidence: float | None
    accuracy: Estimate | None


def expected_calibration_error(probabilities: Floats, truth: Integers, *, bins: int = 15) -> float:
    """Return by how much confidence and accuracy differ, from 0 to 1, averaged over the pictures.

    Args:
        probabilities: [N, classes], each row summing to 1.
        truth: The class index of each picture, int [N].
        bins: Number of equally wide bins of the highest probability.

    Source: Guo et al. 2017, equation 3 (after Naeini et al. 2015).
    """
    gaps = [
        each.count * abs(each.confidence - each.accuracy.value)
        for each in reliability(probabilities, truth, bins=bins)
        if each.confidence is not None and each.accuracy is not None
    ]
    return sum(gaps) / len(probabilities)


def reliability(
    probabilities: Floats, truth: Integers, *, bins: int = 15
) -> tuple[ReliabilityBin, ...]:
    """Return the bins of the reliability diagram, from confidence 0 to 1.

    Source: Guo et al. 2017, section 2.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    edges = np.linspace(0, 1, bins + 1)
    # Bins are open below and closed above; rounding must not push a probability of 1 out of them.
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    return tuple(
        _bin(edges[i], edges[i + 1], confidence[place == i], right[place == i]) for i in range(bins)
    )


def brier_score(probabilities: Floats, truth: Integers) -> float:
    """Return the mean squared distance of the probabilities to the truth, from 0 (perfect) to 2.

    Source: Brier 1950, "Verification of Forecasts Expressed in Terms of Probability".
    """
    wanted = np.eye(probabilities.shape[1])[truth]
    return float(((probabilities - wanted) ** 2).sum(axis=1).mean())


def _bin(
    lower: float, upper: float, confidence: Floats, right: NDArray[np.bool_]
) -> ReliabilityBin:
    count = len(confidence)
    mean = float(confidence.mean()) if count else None
    accuracy = wilson(int(right.sum()), count) if count else None
    return ReliabilityBin(float(lower), float(upper), count, mean, accuracy)
