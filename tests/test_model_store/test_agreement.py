"""The bars that decide which variants may serve; the numbers were worked out by hand."""

import numpy as np
import pytest

from model_store import agreement, intervals
from model_store.agreement import Agreement
from model_store.picture_sets import UNKNOWN

REFERENCE = np.array([[0.6, 0.4], [0.6, 0.4], [0.3, 0.7], [0.3, 0.7]], np.float32)
OTHER = np.array([[0.6, 0.4], [0.4, 0.6], [0.3, 0.7], [0.3, 0.7]], np.float32)


def test_answers_are_compared() -> None:
    """Of four pictures one gets another label; no probability is further than 0.2 off."""
    found = agreement.compare(OTHER, REFERENCE, np.full(4, UNKNOWN))

    assert (found.n, found.same_top1, found.n_labelled) == (4, 0.75, 0)
    assert found.largest_difference == pytest.approx(0.2)


def test_accuracy_is_compared_where_the_class_is_known() -> None:
    """Of three labelled pictures the SavedModel names three, the variant two."""
    found = agreement.compare(OTHER, REFERENCE, np.array([0, 0, 1, UNKNOWN]))

    assert found.n_labelled == 3
    assert found.accuracy_lost == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("found", "serves"),
    [
        (Agreement(40, 1.0, 0.0009), True),
        (Agreement(40, 1.0, 0.0011), False),
        (Agreement(40, 0.975, 0.0009), False),
    ],
)
def test_float32_has_to_be_the_same(found: Agreement, serves: bool) -> None:
    """Every best label, and every probability within 0.001."""
    assert agreement.float32_verdict(found)[0] is serves


@pytest.mark.parametrize(
    ("found", "real", "serves"),
    [
        (Agreement(50, 1.0, 0.2), True, True),
        (Agreement(50, 0.98, 0.2), True, False),
        (Agreement(100, 0.98, 0.2), True, True),
        (Agreement(100, 0.97, 0.2), True, False),
        (Agreement(50, 0.96, 0.2), True, False),
        (Agreement(49, 1.0, 0.0), True, False),
        (Agreement(500, 1.0, 0.0), False, False),
        (Agreement(200, 0.99, 0.2, 200, 0.005), True, True),
        (Agreement(200, 0.99, 0.2, 200, 0.010), True, False),
        (Agreement(200, 0.99, 0.2, 200, -0.02), True, True),
    ],
)
def test_int8_has_to_be_nearly_the_same(found: Agreement, real: bool, serves: bool) -> None:
    """Fifty real pictures, 0.97 of the best labels, surely 0.93, at most 0.5 points of accuracy."""
    assert agreement.int8_verdict(found, real=real)[0] is serves


@pytest.mark.parametrize(
    ("precision", "difference", "tolerance"),
    [("float32", 0.0, 1e-3), ("int8", 0.0, 0.02), ("int8", 0.05, 0.1), ("int8", 0.9, 0.5)],
)
def test_the_tolerance_follows_what_was_measured(
    precision: str, difference: float, tolerance: float
) -> None:
    """Float32 has one; int8 twice its own difference, within limits."""
    assert tolerance == agreement.tolerance(precision, Agreement(5, 1.0, difference))


@pytest.mark.parametrize(
    ("share", "n", "least"), [(1.0, 50, 0.9487), (0.97, 100, 0.9273), (0.5, 10, 0.2693)]
)
def test_the_bound_is_that_of_wilson(share: float, n: int, least: float) -> None:
    """The figures are those of `scipy.stats.binomtest`; for all of n it is n / (n + z²)."""
    assert intervals.lower_bound(share, n) == pytest.approx(least, abs=5e-4)
