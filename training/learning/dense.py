"""The last layer as numbers, and how it comes back from scaled features to plain ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Matrix = NDArray[np.float32]
Truth = NDArray[np.int64]

# A feature that never varies tells nothing; dividing by less than this would only blow up noise.
SMALLEST_DEVIATION = 1e-6


@dataclass(frozen=True)
class Dense:
    """The last layer: logits [N, classes] are features [N, width] times weights plus bias.

    Attributes:
        weights: float32 [width, classes].
        bias: float32 [classes].
    """

    weights: Matrix
    bias: Matrix

    def logits(self, features: Matrix) -> Matrix:
        """Return the logits [N, classes] of features [N, width]."""
        return features @ self.weights + self.bias


@dataclass(frozen=True)
class Scaling:
    """What is subtracted from each feature, and what it is then divided by, [width] both.

    Half-way between plain features and standardised ones: a feature that hardly varies gets louder,
    but not as loud as the others, since what it says is mostly noise.

    Source: Pareto scaling; van den Berg et al. 2006, "Centering, scaling, and transformations".
    """

    mean: Matrix
    divisor: Matrix

    @classmethod
    def of(cls, features: Matrix) -> "Scaling":
        """Measure features [N, width]; one that varies as much as is typical gets deviation 1."""
        deviation = np.maximum(features.std(axis=0, dtype=np.float64), SMALLEST_DEVIATION)
        typical = np.sqrt(np.square(deviation).mean())
        mean = features.mean(axis=0, dtype=np.float64)
        return cls(mean.astype(np.float32), np.sqrt(deviation * typical).astype(np.float32))

    def apply(self, features: Matrix) -> Matrix:
        """Return features [N, width] centred and divided."""
        return (features - self.mean) / self.divisor

    def fold(self, dense: Dense) -> Dense:
        """Return the layer that does to plain features what `dense` does to scaled ones."""
        weights = dense.weights / self.divisor[:, None]
        return Dense(weights, dense.bias - self.mean @ weights)


@dataclass(frozen=True)
class Examples:
    """Features [N, width], class indices [N], and how much each picture counts, [N], mean 1."""

    features: Matrix
    truth: Truth
    weights: Matrix

    def losses(self, logits: Matrix) -> Matrix:
        """Return the weighted -log p(truth) of each row of logits [N, classes], in nats, [N]."""
        chosen = log_softmax(logits, axis=1)[np.arange(len(self.truth)), self.truth]
        losses: Matrix = -(chosen * self.weights)
        return losses

    def cross_entropy(self, logits: Matrix) -> float:
        """Return the weighted mean of -log p(truth) over logits [N, classes], in nats."""
        return float(self.losses(logits).mean())

    def accuracy(self, logits: Matrix) -> float:
        """Return the plain share of pictures whose largest logit is the truth's."""
        return float((logits.argmax(axis=1) == self.truth).mean())


def counting(truth: Truth, *, classes: int, balance: str) -> Matrix:
    """Return how much each picture counts, [N] with mean 1.

    With `none` all count the same; else each class does, however many pictures it has.
    """
    if balance == "none":
        return np.ones(len(truth), np.float32)
    sizes = np.bincount(truth, minlength=classes)
    weights: Matrix = (len(truth) / ((sizes > 0).sum() * sizes[truth])).astype(np.float32)
    return weights
