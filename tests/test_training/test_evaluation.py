"""What is measured on the test pictures, against scikit-learn, published values and by hand."""

import json
import math

import numpy as np
import pytest
from sklearn.metrics import (
    confusion_matrix,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from training.judging.evaluation import TestSet, evaluate
from training.judging.intervals import Estimate, f1_scores, wilson


def draw(classes: int, pictures: int, *, temperature: float = 1.5) -> TestSet:
    """Return a test set whose right logit is higher on average."""
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes, pictures)
    logits = rng.normal(0, 2, (pictures, classes)).astype(np.float32)
    logits[np.arange(pictures), truth] += 2.5
    return named(truth.tolist(), logits, temperature=temperature)


def named(truth: list[int], logits: np.ndarray, *, temperature: float = 1.0) -> TestSet:
    """Return a test set with labels `c0`, `c1`, … and paths `0.jpg`, `1.jpg`, …."""
    labels = tuple(f"c{i}" for i in range(logits.shape[1]))
    paths = tuple(f"{i}.jpg" for i in range(len(truth)))
    return TestSet(labels, paths, np.array(truth), logits.astype(np.float32), temperature)


def values(estimates: list[Estimate | None]) -> list[float]:
    """Return the measured numbers, NaN for None as scikit-learn has it."""
    return [math.nan if each is None else each.value for each in estimates]


@pytest.mark.parametrize(("classes", "pictures"), [(2, 40), (5, 200), (60, 90)])
def test_the_scores_of_each_class_are_those_of_scikit_learn(classes: int, pictures: int) -> None:
    """Also for classes that no picture shows or that nothing is taken for (60 classes)."""
    test = draw(classes, pictures)
    predicted, labels = test.logits.argmax(axis=1), range(classes)
    expected = precision_recall_fscore_support(
        test.truth, predicted, labels=labels, zero_division=np.nan
    )

    found = evaluate(test).per_class

    np.testing.assert_allclose(values([each.precision for each in found]), expected[0])
    np.testing.assert_allclose(values([each.recall for each in found]), expected[1])
    np.testing.assert_allclose(values([each.f1 for each in found]), expected[2])
    assert expected[3].tolist() == [each.support for each in found]


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    """Rows are what pictures show, columns what they are taken for."""
    test = draw(7, 150)

    expected = confusion_matrix(test.truth, test.logits.argmax(axis=1), labels=range(7))

    assert expected.tolist() == evaluate(test).confusion.tolist()


@pytest.mark.parametrize(("classes", "k"), [(2, 1), (3, 1), (5, 2), (9, 4), (10, 5), (60, 5)])
def test_the_top_shares_are_those_of_scikit_learn(classes: int, k: int) -> None:
    """With fewer than ten classes, half of them are looked at instead of five."""
    test = draw(classes, 100)
    scores = test.logits[:, 1] if classes == 2 else test.logits
    labels = list(range(classes))

    evaluation = evaluate(test)

    assert k == evaluation.top_k
    if classes > 2:
        expected = top_k_accuracy_score(test.truth, scores, k=k, labels=labels)
        assert expected == pytest.approx(evaluation.top5.value)
    assert (test.logits.argmax(axis=1) == test.truth).mean() == evaluation.top1.value


def test_equal_logits_rank_in_class_order() -> None:
    """A model that always says the same is right for the first class, and second for the second."""
    evaluation = evaluate(named([0, 0, 1, 3], np.zeros((4, 4))))

    assert (evaluation.top1.value, evaluation.top5.value) == (0.5, 0.75)
    assert evaluation.confusion[:, 0].tolist() == [2, 1, 0, 1]


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(
    hits: int, total: int, low: float, high: float
) -> None:
    """Source: Newcombe 1998, Statistics in Medicine 17, table I, method 3; four digits there."""
    interval = wilson(hits, total)

    assert (low, high) == (round(interval.low, 4), round(interval.high, 4))


def test_the_interval_of_a_perfect_share_ends_at_one() -> None:
    """Rounding moves no end past the share."""
    assert all(wilson(n, n).high == 1 and wilson(0, n).low == 0 for n in range(1, 500))


def test_bootstrap_intervals_are_those_of_drawing_pictures() -> None:
    """Drawing cells of the matrix is drawing pictures: same percentiles, but for their noise."""
    test = draw(3, 120)
    predicted, rng = test.logits.argmax(axis=1), np.random.default_rng(1)
    draws = [rng.integers(0, 120, 120) for _ in range(500)]
    scores = [
        precision_recall_fscore_support(test.truth[i], predicted[i], labels=[0, 1, 2])[2]
        for i in draws
    ]
    expected = np.percentile(scores, (2.5, 97.5), axis=0).T

    found = [(each.f1.low, each.f1.high) for each in evaluate(test).per_class if each.f1]

    # The 2.5 % percentile of 500 draws has a standard error of about 0.007 here.
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_equal_seeds_give_equal_intervals() -> None:
    """A report can be made again, to the last digit."""
    confusion = evaluate(draw(4, 50)).confusion

    assert f1_scores(confusion, seed=3) == f1_scores(confusion, seed=3)
    assert f1_scores(confusion, seed=3) != f1_scores(confusion, seed=4)


def test_the_most_confident_mistakes_come_first() -> None:
    """With the probabilities of both labels after temperature: softmax((4, 0) / 2)."""
    test = named([1, 1, 0], np.array([[2, 0], [4, 0], [1, 0]]), temperature=2.0)

    first, second = evaluate(test).mistakes

    assert [first.path, second.path] == ["1.jpg", "0.jpg"]
    assert (first.true_label, first.predicted_label) == ("c1", "c0")
    assert 1 / (1 + math.exp(-2)) == pytest.approx(first.probability)
    assert 1 / (1 + math.exp(2)) == pytest.approx(first.true_probability)


def test_the_most_frequent_confusions_come_first() -> None:
    """With their share of the true class; equal counts in class order."""
    predicted = [1, 1, 0, 0, 0, 2]
    test = named([0, 0, 0, 1, 2, 2], np.eye(3)[predicted])

    pairs = evaluate(test).confused_pairs

    assert [(each.true_label, each.predicted_label, each.count, each.share) for each in pairs] == [
        ("c0", "c1", 2, 2 / 3),
        ("c1", "c0", 1, 1.0),
        ("c2", "c0", 1, 0.5),
    ]


def test_a_perfect_model_has_no_mistake_and_no_confusion() -> None:
    """All shares are 1, and no number is undefined."""
    evaluation = evaluate(named([0, 1, 2], 9 * np.eye(3)))

    assert (
        evaluation.mistake_count,
        evaluation.mistakes,
        evaluation.confused_pairs,
    ) == (0, (), ())
    assert evaluation.macro_f1 == 1.0


def test_what_is_undefined_is_null_in_json() -> None:
    """A class without pictures that nothing was taken for: JSON has no NaN."""
    evaluation = evaluate(named([0, 1], np.array([[1, 0, 0], [0, 1, 0]])))

    document = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))

    last = document["per_class"][2]
    assert [last["precision"], last["recall"], last["f1"]] == [None, None, None]
    assert document["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_scaling_changes_the_calibration_and_no_label() -> None:
    """Before and after have their own error, likelihood and bins; top-1 is one number."""
    cold, warm = evaluate(draw(5, 200)), evaluate(draw(5, 200, temperature=1.0))

    assert cold.before == warm.before == warm.after
    assert cold.after != cold.before
    assert cold.top1 == warm.top1


@pytest.mark.parametrize(
    ("labels", "paths", "temperature", "message"),
    [
        (("a",), ("x", "y"), 1.0, "2 paths and 1 labels do not fit logits of shape"),
        (("a", "b"), ("x",), 1.0, "1 paths and 2 labels do not fit logits of shape"),
        (("a", "b"), ("x", "y"), 0.0, "temperature is 0.0; it must be above 0"),
    ],
)
def test_a_test_set_that_does_not_fit_is_refused(
    labels: tuple[str, ...], paths: tuple[str, ...], temperature: float, message: str
) -> None:
    """The message says which numbers do not fit."""
    test = TestSet(labels, paths, np.array([0, 1]), np.eye(2, dtype=np.float32), temperature)

    with pytest.raises(ValueError, match=message):
        evaluate(test)
