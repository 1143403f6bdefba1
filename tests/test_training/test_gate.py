"""The gate: each bar by itself, and what it says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.judging import gate
from training.judging.evaluation import Evaluation, TestSet, evaluate
from training.judging.gate import Rival
from training.settings import TrainingSettings


def _evaluation() -> Evaluation:
    """Return that of ten pictures: five of five roses and four of five tulips are right."""
    truth = np.array([0] * 5 + [1] * 5)
    said = np.array([0] * 5 + [1] * 4 + [0])
    logits = (np.eye(2)[said] * 4).astype(np.float32)
    return evaluate(TestSet(("rose", "tulip"), tuple("abcdefghij"), truth, logits, 1.0))


def _judge(rival: Rival | None = None, **bars: Any) -> gate.Verdict:
    settings = TrainingSettings(image_dir=Path("a"), **bars)
    return gate.judge(settings, _evaluation(), rival)


def test_without_a_bar_everything_passes_in_silence() -> None:
    """There is nothing to say."""
    assert _judge() == gate.Verdict(True, "")


@pytest.mark.parametrize(("bar", "passed"), [(0.9, True), (0.91, False)])
def test_accuracy_has_to_reach_its_bar(bar: float, passed: bool) -> None:
    """Exactly reaching it is enough; the text has both numbers."""
    verdict = _judge(assert_accuracy_at_least=bar)

    assert verdict.passed == passed
    assert f"top-1 accuracy is 0.9000, assert_accuracy_at_least is {bar}" in verdict.text


def test_the_recall_of_every_label_has_to_reach_its_bar() -> None:
    """The label that misses it is named, the others are not."""
    verdict = _judge(min_recall=0.9)

    assert verdict.text == "failed: recall of tulip is 0.8000, min_recall is 0.9"


@pytest.mark.parametrize(("top1", "passed"), [(0.9, True), (0.95, False)])
def test_production_must_not_be_better(top1: float, passed: bool) -> None:
    """Being as good is enough."""
    assert _judge(Rival("flowers@3", top1), not_worse_than_production=True).passed == passed
