"""Temperature, calibration error and scores of probabilities, against other people's numbers."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import brier_score_loss, log_loss

from training.judging.intervals import wilson
from training.judging.reliability import brier_score, expected_calibration_error, reliability
from training.judging.temperature import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    Floats,
    Integers,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)


def draw(sharpness: float, *, pictures: int = 500, classes: int = 5) -> tuple[Floats, Integers]:
    """Return logits [pictures, classes] that are `sharpness` times too sure, and the truth."""
    rng = np.random.default_rng(7)
    honest = rng.normal(0, 2, (pictures, classes))
    probabilities = np.exp(log_softmax(honest, axis=1))
    truth = np.array([rng.choice(classes, p=each) for each in probabilities])
    return (sharpness * honest).astype(np.float32), truth


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_the_temperature_is_the_optimum_that_scipy_finds(sharpness: float) -> None:
    """Another optimiser, on another writing of the likelihood, ends at the same place."""
    logits, truth = draw(sharpness)

    def loss(temperature: float) -> float:
        scaled = log_softmax(logits.astype(np.float64) / temperature, axis=1)
        return float(-scaled[np.arange(len(truth)), truth].mean())

    best = minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-9})
    # Brent's method finds a minimum to about the square root of float64's precision.
    assert best.x == pytest.approx(fit_temperature(logits, truth), rel=1e-5)


def test_the_temperature_undoes_what_made_the_logits_too_sure() -> None:
    """Logits that were multiplied by 3 are divided by about 3, within the noise of 5,000 draws."""
    logits, truth = draw(3.0, pictures=5000)

    assert fit_temperature(logits, truth) == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize("logits", [[[5, 0], [0, 1]], [[0, 0], [0, 0]], [[4, 4], [0, 9]]])
def test_without_an_optimum_the_temperature_changes_nothing(logits: list[list[float]]) -> None:
    """A validation set without a mistake says nothing about how sure to be."""
    temperature = fit_temperature(np.array(logits, np.float32), np.array([0, 1]))

    assert temperature == 1.0


def test_logits_that_are_always_wrong_stop_at_the_highest_temperature() -> None:
    """The likelihood would go on rising."""
    temperature = fit_temperature(np.eye(2, dtype=np.float32), np.array([1, 0]))

    assert temperature == pytest.approx(HIGHEST_TEMPERATURE)


def test_logits_that_are_far_too_timid_stop_at_the_lowest_temperature() -> None:
    """The optimum is 0.01 / ln 50, as 50 of 51 are right."""
    logits = np.tile(np.array([0.01, 0], np.float32), (51, 1))

    temperature = fit_temperature(logits, np.array([0] * 50 + [1]))

    assert temperature == pytest.approx(LOWEST_TEMPERATURE)


def test_huge_logits_do_not_overflow() -> None:
    """Logits of a million give finite numbers and no warning."""
    logits = np.array([[1e6, 0], [1e6, 0], [0, 1e6]], np.float32)
    truth = np.array([0, 1, 1])

    assert np.isfinite(fit_temperature(logits, truth))
    assert negative_log_likelihood(logits, truth) == pytest.approx(1e6 / 3)


@pytest.mark.parametrize(
    ("logits", "truth", "message"),
    [
        (np.zeros((0, 3)), [], "at least one picture"),
        (np.zeros((2, 3)), [0], "at least one picture"),
        (np.zeros((2, 3)), [0, 3], "class indices go from 0 to 3; 3 classes allow 0 to 2"),
        (np.full((1, 2), np.nan), [0], "not finite"),
    ],
)
def test_impossible_input_is_refused(logits: Floats, truth: list[int], message: str) -> None:
    """The message says what is wrong and what is allowed."""
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, np.array(truth, np.int64))


def test_the_calibration_error_is_the_one_computed_by_hand() -> None:
    """Two bins: |0.4 - 1| for one picture, |0.8 - 0.5| for two: (0.6 + 2 x 0.3) / 3 = 0.4."""
    probabilities = np.array([[0.4, 0.3, 0.3], [0.9, 0.1, 0.0], [0.2, 0.7, 0.1]])

    error = expected_calibration_error(probabilities, np.array([0, 0, 2]), bins=2)

    assert error == pytest.approx(0.4)


def test_bins_are_open_below_and_closed_above() -> None:
    """A confidence of exactly 0.5 belongs to (0, 0.5], and one of 1 to the last bin."""
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]])

    low, high = reliability(probabilities, np.array([0, 1]), bins=2)

    assert [(1, 0.5, wilson(1, 1)), (1, 1.0, wilson(0, 1))] == [
        (each.count, each.confidence, each.accuracy) for each in (low, high)
    ]


def test_an_empty_bin_has_neither_confidence_nor_accuracy() -> None:
    """Nothing is divided by zero."""
    first = reliability(np.array([[0.1, 0.9]]), np.array([1]))[0]

    assert (first.count, first.confidence, first.accuracy) == (0, None, None)


def test_likelihood_and_brier_score_are_those_of_scikit_learn() -> None:
    """Also with a temperature."""
    logits, truth = draw(2.0)
    probabilities = softmax(logits, temperature=1.7)

    likelihood = negative_log_likelihood(logits, truth, temperature=1.7)

    assert log_loss(truth, probabilities) == pytest.approx(likelihood)
    assert brier_score(probabilities, truth) == pytest.approx(
        brier_score_loss(truth, probabilities, scale_by_half=False)
    )


def test_the_brier_score_is_the_one_computed_by_hand() -> None:
    """(0.2² + 0.2²) and (0.9² + 0.9²), halved: 0.85."""
    probabilities = np.array([[0.8, 0.2], [0.9, 0.1]])

    assert brier_score(probabilities, np.array([0, 1])) == pytest.approx(0.85)
