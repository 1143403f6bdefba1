"""Traps of retrain.py and make_image_classifier that are about a whole run.

Others are tested where their part is: sources, data check, split, features, label_image.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from model_store import PreprocessingSpec
from tests.drawn_reports import a_test_set
from tests.test_training.conftest import FinishedRun, check, draw, encode
from training import answer, beginning, run
from training.journal import Journal
from training.judging.evaluation import evaluate
from training.judging.gate import Verdict
from training.learning import backbones, extractors, head
from training.learning.backbone import Request
from training.learning.dense import Examples, counting
from training.learning.examples import Sight
from training.pictures import augmentation, split
from training.pictures.augmentation import Augmentation
from training.settings import TrainingSettings

RARE = 0.1


@pytest.mark.parametrize("name", ["a.JPG", "a.jpeg", "a.JPeG", "a.png", "a.PNG", "a.tif", "a"])
def test_a_picture_is_found_whatever_its_name_ends_in(folder: Path, name: str) -> None:
    """retrain.py looked for `jpg`, `jpeg`, `JPG` and `JPEG`, and nothing else."""
    (folder / "玫瑰" / name).write_bytes(encode(draw(8), "JPEG"))

    assert f"玫瑰/{name}" in {picture.path for picture in check(folder).pictures}


def test_no_picture_is_in_two_parts(folder: Path) -> None:
    """make_image_classifier trained on four of five of its validation pictures."""
    found = check(folder)
    parts = split.assign(found, validation_percentage=20, testing_percentage=20)

    placed = [*parts.training, *parts.validation, *parts.testing]
    assert sorted(picture.digest for picture in placed) == sorted(
        {picture.digest for picture in found.pictures}
    )


def _examples(n: int, seed: int, balance: str = "none") -> Examples:
    """Return features that tell nothing about two labels, of which one is rare."""
    truth = np.arange(n) % round(1 / RARE) // (round(1 / RARE) - 1)
    features = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    return Examples(features, truth, counting(truth, classes=2, balance=balance))


@pytest.mark.parametrize("steps", [{}, {"how_many_training_steps": 400, "learning_rate": 0.5}])
@pytest.mark.parametrize(
    ("balance", "expected"), [("uniform", 0.5), ("weights", 0.5), ("none", RARE)]
)
def test_rare_labels_count_as_was_asked(
    balance: str, expected: float, steps: dict[str, Any]
) -> None:
    """retrain.py drew labels equally and did not say so; where nothing is known it shows."""
    settings = TrainingSettings(image_dir=Path("a"), class_balance=balance, **steps)
    held_out = _examples(100, 2, balance)

    dense = head.train(settings, _examples(400, 1, balance), held_out, classes=2).dense

    answers = softmax(dense.logits(held_out.features), axis=1)[:, 1].mean()
    # Steps on batches of 100 go to and fro by about 0.05.
    assert answers == pytest.approx(expected, abs=0.12)


def test_pictures_that_judge_are_not_trained_on() -> None:
    """Whatever the other parts show, steps on the same training pictures end the same."""
    settings = TrainingSettings(image_dir=Path("a"), how_many_training_steps=50)
    one, other = (
        head.train(settings, _examples(100, 1), _examples(50, seed), classes=2) for seed in (2, 3)
    )

    assert (one.dense.weights == other.dense.weights).all()


def test_only_training_pictures_are_changed(finished_run: FinishedRun, hub_folder: Path) -> None:
    """Those that judge are seen as served ones are; of the others there are more."""
    place = {"image_dir": finished_run.pictures, "bottleneck_dir": finished_run.root / "cache"}
    prepared = beginning.check(TrainingSettings(**place), Journal())
    backbone = backbones.find(Request(f"hub:{hub_folder}"))
    extractor = extractors.prepare(
        backbone, finished_run.root / "cache" / "backbones", report=lambda text: None
    )
    seen = [
        Sight(TrainingSettings(**place, **flags), prepared, backbone, extractor, Journal().count)
        for flags in ({}, {"random_brightness": 50, "augmented_views": 1})
    ]
    (plain, before), (changed, after) = (sight.everything() for sight in seen)

    assert len(changed.features) == 2 * len(plain.features)
    assert (before.validation.features == after.validation.features).all()
    assert (before.testing.features == after.testing.features).all()


def test_no_view_is_turned() -> None:
    """make_image_classifier took 40 degrees for 40 turns: pictures stood on their heads."""
    upload = encode(Image.linear_gradient("L").convert("RGB"))
    changes = Augmentation(True, 20, 20, 20)
    spec = PreprocessingSpec(input_size=32, crop_fraction=1.0)
    views = (augmentation.view(upload, spec, changes, number).astype(int) for number in range(30))

    assert all((np.diff(view.mean(axis=(1, 2))) >= 0).all() for view in views)


def _said(lift: float, **flags: Any) -> list[str]:
    """Return the last lines of a run that had 200 test pictures."""
    test = a_test_set(("a", "b"), 200, lift=lift)
    outcome = run.Outcome("x", None, Path("r.html"), evaluate(test), Verdict(True, ""), ())
    return answer.of_run(outcome, TrainingSettings(image_dir=Path("a"), **flags)).splitlines()


def test_every_misclassified_picture_is_printed() -> None:
    """In retrain.py's form, however many they are; then its line on all test pictures."""
    lines = _said(-9.0, print_misclassified_test_images=True)

    assert len([line for line in lines if line[70:] in {"  a", "  b"}]) == 200
    assert lines[200:202] == [
        "Final test accuracy = 0.0% (N=200)",
        "  95% interval 0.0% to 1.9%",
    ]


def test_misclassified_pictures_are_printed_only_when_asked_for() -> None:
    """The accuracy is there all the same."""
    assert _said(-9.0)[0] == "Final test accuracy = 0.0% (N=200)"
