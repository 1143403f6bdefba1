"""The head: the optimum, the balance, the choice on validation, and folding back."""

import numpy as np
import pytest

from training.learning import head
from training.learning.dense import Dense, Examples, Scaling, counting
from training.learning.head import Descent


def _examples(n: int, seed: int, *, classes: int = 3, width: int = 6) -> Examples:
    """Return clouds around one corner a class, on features of different scales."""
    generator = np.random.default_rng(seed)
    truth = np.arange(n) % classes
    corners = np.random.default_rng(0).normal(size=(classes, width)) * 1.5
    rows = corners[truth] + generator.normal(size=(n, width))
    scales = 10.0 ** np.linspace(-1, 1, width)
    return Examples((rows * scales + 5).astype(np.float32), truth, np.ones(n, np.float32))


def test_the_solution_is_the_one_of_another_library() -> None:
    """The same penalised optimum as scikit-learn's, whose C is 1 / (N strength)."""
    from sklearn.linear_model import LogisticRegression

    examples = _examples(200, 1)
    scale = Scaling.of(examples.features)
    inside = Examples(scale.apply(examples.features), examples.truth, examples.weights)
    zeros = Dense(np.zeros((6, 3), np.float32), np.zeros(3, np.float32))
    found = head._minimum(inside, zeros, 0.01, lambda *_: None)
    other = LogisticRegression(C=1 / (200 * 0.01), tol=1e-8, max_iter=1000)
    other.fit(inside.features, inside.truth)

    expected = other.predict_proba(inside.features)
    logits = found.logits(inside.features)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    # Both stop when the loss hardly falls any more: 1e-8 of it here.
    assert np.abs(probabilities - expected).max() < 2e-3


def test_a_folded_layer_gives_the_same_logits() -> None:
    """On plain features what the other gives on scaled ones, a dead feature included."""
    generator = np.random.default_rng(3)
    features = generator.normal(2, 5, (50, 4)).astype(np.float32)
    features[:, 2] = 0.7
    scale = Scaling.of(features)
    dense = Dense(generator.normal(size=(4, 3)).astype(np.float32), np.ones(3, np.float32))
    dense.weights[2] = 0

    expected = dense.logits(scale.apply(features))

    # float32 with standard deviations around 5.
    assert np.abs(scale.fold(dense).logits(features) - expected).max() < 1e-4


def test_scaling_is_half_way_to_standardising() -> None:
    """Deviations 1 and 7 have the root mean square 5; they become 1/√5 and 7/√35, not 1 and 1."""
    features = np.array([[1, 7], [-1, -7]], np.float32) + np.float32(3)
    scaled = Scaling.of(features).apply(features)

    expected = np.array([1 / 5**0.5, 7 / 35**0.5])
    assert np.abs(scaled - [expected, -expected]).max() < 1e-6


def test_the_same_data_gives_the_same_head() -> None:
    """Bit for bit, so that a run that was killed ends with the same model."""
    one, other = (head.solve(_examples(300, 1), _examples(90, 2), classes=3) for _ in range(2))

    assert (one.dense.weights == other.dense.weights).all()


def test_noise_is_punished_harder_than_signal() -> None:
    """The strength is chosen on validation: labels at random want a stronger one."""
    shuffled = np.random.default_rng(0).integers(0, 3, 390)
    inside, outside = _examples(300, 1), _examples(90, 2)
    noise = Examples(inside.features, shuffled[:300], inside.weights)
    noise_outside = Examples(outside.features, shuffled[300:], outside.weights)

    chosen = [
        float(head.solve(one, other, classes=3).chosen.removeprefix("regularisation "))
        for one, other in ((noise, noise_outside), (inside, outside))
    ]
    assert chosen[0] > chosen[1]


def test_descent_with_a_seed_is_the_same_each_time() -> None:
    """With steps the head is trained as retrain.py did, only reproducibly."""
    how = Descent(50, 0.1, 20, 10, draws_classes_equally=True, seed=7)
    one, other = (
        head.descend(_examples(300, 1), _examples(90, 2), classes=3, how=how) for _ in range(2)
    )

    assert (one.dense.weights == other.dense.weights).all()
    assert one.curves.steps == [10, 20, 30, 40, 50]


def test_descent_learns() -> None:
    """A few hundred steps come near the exact solution."""
    how = Descent(600, 0.1, 50, 10, draws_classes_equally=True, seed=0)
    test = _examples(300, 9)
    exact = head.solve(_examples(300, 1), _examples(90, 2), classes=3)
    stepped = head.descend(_examples(300, 1), _examples(90, 2), classes=3, how=how)

    accuracy = [test.accuracy(h.dense.logits(test.features)) for h in (exact, stepped)]
    assert accuracy[1] > accuracy[0] - 0.05


def test_descent_looks_at_its_last_step() -> None:
    """Also when the steps are no multiple of the interval, as retrain.py did."""
    how = Descent(7, 0.1, 5, 5, draws_classes_equally=False, seed=0)
    found = head.descend(_examples(30, 1), _examples(30, 2), classes=3, how=how)

    assert found.curves.steps == [5, 7]


@pytest.mark.parametrize(
    ("balance", "expected"), [("none", [1, 1, 1, 1]), ("uniform", [2 / 3] * 3 + [2])]
)
def test_the_balance_decides_how_much_a_picture_counts(balance: str, expected: list[float]) -> None:
    """Three pictures of one label and one of the other: each label counts 2, or each picture 1."""
    found = counting(np.array([0, 0, 0, 1]), classes=2, balance=balance)

    assert found.tolist() == pytest.approx(expected)
