"""The head: a regularised softmax layer on scaled features, chosen on validation.

Without steps it is solved exactly along a path of regularisation strengths, from strong to weak,
which stops early where validation gets worse; with steps it is gradient descent as in retrain.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from training.learning.dense import Dense, Examples, Matrix, Scaling
from training.settings import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_LEARNING_RATE,
    DEFAULT_STEPS,
    TrainingSettings,
)

# L2 penalties on the weights for scaled features; the bias is free. Flowers choose 0.003 to
# 0.03; the ends are ten thousand times apart, and the path stops early on the weak side.
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
PATIENCE = 2
MOST_ITERATIONS = 200

CURVES = ("training_loss", "validation_loss", "training_accuracy", "validation_accuracy")


@dataclass(frozen=True)
class Descent:
    """Gradient descent in steps, as retrain.py trained; batches draw pictures with replacement."""

    steps: int
    learning_rate: float
    batch_size: int
    eval_step_interval: int
    draws_classes_equally: bool
    seed: int


@dataclass
class Curves:
    """How training went: one number of each kind for each look at the validation pictures."""

    steps: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CURVES})

    def add(
        self, step: int, training: tuple[float, float], validation: tuple[float, float]
    ) -> None:
        """Note loss and accuracy on the training and on the validation pictures."""
        self.steps.append(step)
        numbers = (training[0], validation[0], training[1], validation[1])
        for name, number in zip(CURVES, numbers, strict=True):
            self.values[name].append(number)


@dataclass(frozen=True)
class Head:
    """A trained last layer for plain features, how it was chosen, and how training went."""

    dense: Dense
    chosen: str
    curves: Curves


# Called with a step, the layer then, and its logits of the training pictures.
Look = Callable[[int, Dense, Matrix], None]


def train(
    settings: TrainingSettings, training: Examples, validation: Examples, *, classes: int
) -> Head:
    """Return the last layer, solved exactly or, where steps were asked for, by descent."""
    if not settings.descends:
        return solve(training, validation, classes=classes)
    how = Descent(
        steps=settings.how_many_training_steps or DEFAULT_STEPS,
        learning_rate=settings.learning_rate or DEFAULT_LEARNING_RATE,
        batch_size=settings.train_batch_size or DEFAULT_BATCH_SIZE,
        eval_step_interval=settings.eval_step_interval,
        draws_classes_equally=settings.class_balance == "uniform",
        seed=settings.seed,
    )
    if how.draws_classes_equally:
        # Drawn equally already, so weighting as well would count small classes twice.
        training = replace(training, weights=np.ones_like(training.weights))
    return descend(training, validation, classes=classes, how=how)


# The matrices are thin: a second BLAS thread costs more than it brings, ten times as much where
# another program uses that core (14.6 ms a product instead of 1.0 ms). And sums keep their order.
def solve(training: Examples, validation: Examples, *, classes: int) -> Head:
    """Return the head whose strength has the smallest loss on the validation pictures."""
    with threadpool_limits(limits=1):
        return _solve(training, validation, classes)


def descend(training: Examples, validation: Examples, *, classes: int, how: Descent) -> Head:
    """Return the head of the step with the smallest loss on the validation pictures."""
    with threadpool_limits(limits=1):
        return _descend(training, validation, classes, how)


def _solve(training: Examples, validation: Examples, classes: int) -> Head:
    scale = Scaling.of(training.features)
    inside, outside = _scaled(training, scale), _scaled(validation, scale)
    curves = Curves()
    look = _looker(inside, outside, curves)
    dense = _zeros(training.features.shape[1], classes)
    losses: list[float] = []
    best = dense
    for strength in STRENGTHS:
        dense = _minimum(inside, dense, strength, look)
        losses.append(outside.cross_entropy(dense.logits(outside.features)))
        best = dense if losses[-1] == min(losses) else best
        if len(losses) - int(np.argmin(losses)) > PATIENCE:
            break
    strength = STRENGTHS[int(np.argmin(losses))]
    return Head(scale.fold(best), f"regularisation {strength:g}", curves)


def _descend(training: Examples, validation: Examples, classes: int, how: Descent) -> Head:
    scale = Scaling.of(training.features)
    inside, outside = _scaled(training, scale), _scaled(validation, scale)
    curves = Curves()
    look = _looker(inside, outside, curves)
    dense = best = _zeros(training.features.shape[1], classes)
    chosen, smallest = 0, np.inf
    generator = np.random.default_rng(how.seed)
    chances = _chances(inside, how)
    for step in range(1, how.steps + 1):
        batch = generator.choice(len(inside.truth), how.batch_size, p=chances)
        dense = _stepped(dense, _rows(inside, batch), how.learning_rate)
        if step % how.eval_step_interval == 0 or step == how.steps:
            look(step, dense, dense.logits(inside.features))
            if curves.values["validation_loss"][-1] < smallest:
                best, chosen, smallest = dense, step, curves.values["validation_loss"][-1]
    return Head(scale.fold(best), f"step {chosen} of {how.steps}", curves)


def _scaled(examples: Examples, scale: Scaling) -> Examples:
    return replace(examples, features=scale.apply(examples.features))


def _zeros(width: int, classes: int) -> Dense:
    return Dense(np.zeros((width, classes), np.float32), np.zeros(classes, np.float32))


def _looker(inside: Examples, outside: Examples, curves: Curves) -> Look:
    def look(step: int, dense: Dense, logits: Matrix) -> None:
        seen = ((inside, logits), (outside, dense.logits(outside.features)))
        pairs = [(each.cross_entropy(found), each.accuracy(found)) for each, found in seen]
        curves.add(step, *pairs)

    return look


def _minimum(inside: Examples, start: Dense, strength: float, look: Look) -> Dense:
    """Return the layer with the least penalised loss, found by L-BFGS from `start`."""
    shape = start.weights.shape
    iterations = 0
    asked, logits = _flattened(start), start.logits(inside.features)

    def logits_of(flat: NDArray[np.float64]) -> Matrix:
        """Return the logits of the training pictures, which both functions below want in turn."""
        nonlocal asked, logits
        if (asked != flat).any():
            asked, logits = flat.copy(), _unflattened(flat, shape).logits(inside.features)
        return logits

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the penalised loss and its gradient."""
        found = logits_of(flat)
        weights = flat[: start.weights.size]
        value = inside.cross_entropy(found) + strength / 2 * float(weights @ weights)
        gradient = _flattened(_gradient(inside, found))
        gradient[: weights.size] += strength * weights
        return value, gradient

    def each(flat: NDArray[np.float64]) -> None:
        nonlocal iterations
        iterations += 1
        look(iterations, _unflattened(flat, shape), logits_of(flat))

    options = {"maxiter": MOST_ITERATIONS, "ftol": 1e-8, "gtol": 1e-5}
    found = minimize(
        loss, _flattened(start), jac=True, method="L-BFGS-B", callback=each, options=options
    )
    return _unflattened(found.x, shape)


def _gradient(examples: Examples, logits: Matrix) -> Dense:
    """Return the gradient of the weighted cross-entropy for weights and bias."""
    errors = softmax(logits, axis=1)
    errors[np.arange(len(examples.truth)), examples.truth] -= 1
    errors *= (examples.weights / len(examples.truth))[:, None]
    return Dense(examples.features.T @ errors, errors.sum(axis=0))


def _stepped(dense: Dense, batch: Examples, rate: float) -> Dense:
    gradient = _gradient(batch, dense.logits(batch.features))
    return Dense(
        dense.weights - np.float32(rate) * gradient.weights,
        dense.bias - np.float32(rate) * gradient.bias,
    )


def _chances(inside: Examples, how: Descent) -> NDArray[np.float64] | None:
    if not how.draws_classes_equally:
        return None
    sizes = np.bincount(inside.truth)
    chances = 1.0 / sizes[inside.truth]
    return np.asarray(chances / chances.sum())


def _rows(examples: Examples, rows: NDArray[np.int64]) -> Examples:
    return Examples(examples.features[rows], examples.truth[rows], examples.weights[rows])


def _flattened(dense: Dense) -> NDArray[np.float64]:
    return np.concatenate([dense.weights.ravel(), dense.bias]).astype(np.float64)


def _unflattened(flat: NDArray[np.float64], shape: tuple[int, ...]) -> Dense:
    size = shape[0] * shape[1]
    return Dense(flat[:size].reshape(shape).astype(np.float32), flat[size:].astype(np.float32))
