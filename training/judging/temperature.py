"""The temperature that makes a model's probabilities believable, and how likely the truth is.

It is fitted on validation pictures after training and shipped in the model's card; the evaluation
measures on the untouched test pictures what it brought.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

# Bounds keep a fit on a handful of pictures from making every answer all but certain, or all equal.
LOWEST_TEMPERATURE = 0.1
HIGHEST_TEMPERATURE = 10.0

# Each step halves the bracket of 1 / temperature, from 9.9 to 1e-11.
_BISECTIONS = 40


def softmax(logits: Floats, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the probabilities [N, classes] of logits [N, classes] divided by the temperature."""
    return np.exp(_log_softmax(logits, 1 / temperature))


def fit_temperature(logits: Floats, truth: Integers) -> float:
    """Return the temperature, from 0.1 to 10, that makes validation pictures most likely.

    It is 1.0 when no label ever outranks the true one: the likelihood then has no optimum, it grows
    (or stays) as the temperature falls. The most probable label of a picture never changes.

    Args:
        logits: float32 [N, classes] of pictures that were not trained on.
        truth: The class index of each picture, int [N].

    Raises:
        ValueError: there are no pictures, or shapes, indices or numbers are impossible.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    check_logits(logits, truth)
    wide = logits.astype(np.float64)
    margins = wide - _of_truth(wide, truth)[:, None]
    return 1.0 if (margins <= 0).all() else 1 / _likeliest_scale(margins)


def negative_log_likelihood(logits: Floats, truth: Integers, *, temperature: float = 1.0) -> float:
    """Return the mean of -ln(probability of the true label), in nats; 0 is perfect."""
    return float(-_of_truth(_log_softmax(logits, 1 / temperature), truth).mean())


def check_logits(logits: Floats, truth: Integers) -> None:
    """Make sure that there are pictures, and a finite row of logits and a class for each.

    Raises:
        ValueError: with what is wrong.
    """
    if logits.ndim != 2 or len(logits) == 0 or truth.shape != (len(logits),):  # noqa: PLR2004 - axes
        raise ValueError(
            f"logits have shape {logits.shape} and the truth {truth.shape}; "
            "give [N, classes] and [N] with at least one picture"
        )
    if not np.isfinite(logits).all():
        raise ValueError("some logits are not finite; lower the learning rate and train again")
    if truth.min() < 0 or truth.max() >= logits.shape[1]:
        raise ValueError(
            f"class indices go from {truth.min()} to {truth.max()}; "
            f"{logits.shape[1]} classes allow 0 to {logits.shape[1] - 1}"
        )


def _likeliest_scale(margins: NDArray[np.float64]) -> float:
    # The negative log likelihood is convex in 1 / temperature, so its slope changes sign only once
    # and bisection cannot fail, whatever the logits are.
    low, high = 1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(margins, middle) < 0 else (low, middle)
    return (low + high) / 2


def _slope(margins: NDArray[np.float64], scale: float) -> float:
    # d/ds of mean(logsumexp(s * margins)), where a margin is a logit minus that of the truth.
    probabilities = np.exp(_log_softmax(margins, scale))
    return float((probabilities * margins).sum(axis=1).mean())


def _log_softmax(logits: Floats, scale: float) -> NDArray[np.float64]:
    scaled = logits.astype(np.float64) * scale
    scaled -= scaled.max(axis=1, keepdims=True)
    return np.asarray(scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True)))


def _of_truth(values: NDArray[np.float64], truth: Integers) -> NDArray[np.float64]:
    return values[np.arange(len(values)), truth]
