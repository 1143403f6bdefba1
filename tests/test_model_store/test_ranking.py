"""The best labels of a picture."""

import numpy as np
import pytest

from model_store.ranking import Prediction, top_k

LABELS = ("a", "b", "c", "d")


def test_the_best_labels_come_first() -> None:
    """Descending, with the class index and a plain float."""
    probabilities = np.array([0.1, 0.5, 0.25, 0.15], np.float32)

    assert (Prediction("b", 1, 0.5), Prediction("c", 2, 0.25)) == top_k(probabilities, LABELS, 2)


@pytest.mark.parametrize(
    ("k", "expected"), [(1, [1]), (2, [1, 0]), (3, [1, 0, 2]), (9, [1, 0, 2, 3])]
)
def test_equal_probabilities_keep_class_order(k: int, expected: list[int]) -> None:
    """Ties are broken the same way in every runtime, also at the edge of k."""
    probabilities = np.array([0.2, 0.4, 0.2, 0.2], np.float32)

    assert expected == [best.class_index for best in top_k(probabilities, LABELS, k)]


def test_a_thousand_classes_rank_as_a_full_sort() -> None:
    """The partial sort gives what sorting everything gives."""
    probabilities = np.random.default_rng(0).random(1000).astype(np.float32)

    expected = np.argsort(-probabilities, kind="stable")[:5].tolist()

    labels = [str(i) for i in range(1000)]
    assert expected == [best.class_index for best in top_k(probabilities, labels, 5)]
