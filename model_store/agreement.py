"""How far a variant agrees with the SavedModel, and whether that is enough to serve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.intervals import lower_bound, upper_bound
from model_store.picture_sets import FEWEST_JUDGED, UNKNOWN

FLOAT32 = "float32"
INT8 = "int8"

LARGEST_DIFFERENCE = 1e-3
INT8_SAME_TOP1 = 0.97
# And so sure of it that of 50 pictures none may differ, of 100 two, of 200 six.
INT8_SURE_TOP1 = 0.93
INT8_ACCURACY_LOST = 0.005

# Other kinds of CPU round int8 sums differently; what was measured here is doubled for them.
TOLERANCE_MARGIN = 2.0
SMALLEST_INT8_TOLERANCE = 0.02
LARGEST_INT8_TOLERANCE = 0.5


@dataclass(frozen=True)
class Agreement:
    """A comparison of a variant with the SavedModel.

    Attributes:
        n: Number of compared pictures.
        same_top1: Share of them with the same best label.
        largest_difference: Largest difference of one probability.
        n_labelled: Number of them whose class is known.
        accuracy_lost: Share of those that only the SavedModel names rightly, less the share that
            only the variant does; 0 where no class is known.
    """

    n: int
    same_top1: float
    largest_difference: float
    n_labelled: int = 0
    accuracy_lost: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The share with the same best label: at least and at most, each with 95 % certainty."""
        share, n = self.same_top1, self.n
        return round(lower_bound(share, n), 4), round(upper_bound(share, n), 4)


def compare(
    probabilities: NDArray[np.float32],
    reference: NDArray[np.float32],
    class_indices: NDArray[np.intp],
) -> Agreement:
    """Return how far two answers [N, classes] to the same pictures agree.

    Args:
        probabilities: The variant's.
        reference: The SavedModel's.
        class_indices: What each picture shows [N], or `UNKNOWN`.
    """
    best, reference_best = probabilities.argmax(axis=1), reference.argmax(axis=1)
    known = class_indices != UNKNOWN
    lost = (reference_best == class_indices).astype(float) - (best == class_indices)
    return Agreement(
        n=len(best),
        same_top1=float((best == reference_best).mean()),
        largest_difference=float(np.abs(probabilities - reference).max()),
        n_labelled=int(known.sum()),
        accuracy_lost=float(lost[known].mean()) if known.any() else 0.0,
    )


def float32_verdict(found: Agreement) -> tuple[bool, str]:
    """Return whether a float32 variant may serve, and why."""
    serves = found.same_top1 == 1 and found.largest_difference <= LARGEST_DIFFERENCE
    bar = f"same top-1 on all, probabilities within {LARGEST_DIFFERENCE}"
    return serves, f"{_verb(serves)} with the SavedModel on {found.n} pictures (bar: {bar})"


def int8_verdict(found: Agreement, *, real: bool) -> tuple[bool, str]:
    """Return whether an int8 variant may serve, and why.

    Drawn pictures say little, because a network is unsure of them: of EfficientNet-Lite0's int8
    variants those that agree on 0.98 of 99 photographs agree on 0.81 and 0.88 of drawn ones.

    Args:
        found: The comparison on pictures that it was not calibrated on.
        real: Whether somebody took those pictures.
    """
    if not (real and found.n >= FEWEST_JUDGED):
        kind = "real" if real else "drawn"
        return False, (
            f"judged on {found.n} {kind} pictures only; int8 serves when it agreed on at least "
            f"{FEWEST_JUDGED} real ones: publish with --calibration and a directory of photographs"
        )
    sure = lower_bound(found.same_top1, found.n)
    agrees = found.same_top1 >= INT8_SAME_TOP1 and sure >= INT8_SURE_TOP1
    serves = agrees and found.accuracy_lost <= INT8_ACCURACY_LOST
    return serves, (
        f"{_verb(serves)} with the SavedModel on {found.n} pictures that it was not calibrated on: "
        f"same top-1 on {found.same_top1:.1%}, with 95 % certainty on {sure:.1%} or more "
        f"(bar: {INT8_SAME_TOP1:.0%} and {INT8_SURE_TOP1:.0%}, accuracy within 0.5 points"
        f"{_accuracy(found)})"
    )


def tolerance(precision: str, golden: Agreement) -> float:
    """Return how far a worker's answers to the golden pictures may be off.

    Args:
        precision: Of the variant.
        golden: Its agreement on the golden pictures, measured here.
    """
    if precision == FLOAT32:
        return LARGEST_DIFFERENCE
    measured = TOLERANCE_MARGIN * golden.largest_difference
    return round(min(max(measured, SMALLEST_INT8_TOLERANCE), LARGEST_INT8_TOLERANCE), 4)


def _accuracy(found: Agreement) -> str:
    if not found.n_labelled:
        return ""
    return f"; lost {100 * found.accuracy_lost:.1f} points on {found.n_labelled} labelled ones"


def _verb(serves: bool) -> str:
    return "agrees" if serves else "does not agree"
