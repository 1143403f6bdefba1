"""What is served is what was trained: the same answer to the same file, whatever its kind."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from model_store import ModelStore, serving
from tests.test_training.conftest import FinishedRun, draw, encode
from training import beginning, lesson
from training.journal import Journal
from training.learning import backbones, extractors, features
from training.learning.backbone import Backbone, Request
from training.pictures.data import Picture
from training.pictures.folders import FolderFiles
from training.settings import TrainingSettings


def _turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(draw(60 + orientation, (200, 40, 40), 90), "JPEG", exif=exif)


def _sixteen_bits() -> bytes:
    grey = np.asarray(draw(71).convert("L"), np.uint16) * 257
    return encode(Image.fromarray(grey))


KINDS: dict[str, Callable[[], bytes]] = {
    **{f"orientation {i}": lambda i=i: _turned(i) for i in range(1, 9)},
    "cmyk": lambda: encode(draw(72).convert("CMYK"), "JPEG"),
    "16-bit": _sixteen_bits,
    "palette": lambda: encode(draw(73).quantize(16)),
    "alpha": lambda: encode(_see_through()),
    "large": lambda: encode(draw(74, side=900), "JPEG"),
}


def _see_through() -> Image.Image:
    image = draw(75).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


@pytest.fixture(scope="module")
def served(finished_run: FinishedRun) -> serving.ServedModel:
    """The published model in the runtime that a worker would choose."""
    return serving.load(ModelStore.open(finished_run.store_url), "drawn")


@pytest.fixture(scope="module")
def trained(
    finished_run: FinishedRun, hub_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    """What the training pipeline says to one file of each kind: probabilities [classes]."""
    settings = TrainingSettings(
        image_dir=finished_run.pictures, bottleneck_dir=finished_run.root / "cache"
    )
    backbone = backbones.find(Request(f"hub:{hub_folder}"))
    prepared = beginning.check(settings, Journal())
    learned = lesson.learn(settings, prepared, backbone, Journal())
    rows = _features(settings, backbone, tmp_path_factory.mktemp("kinds"))
    logits = learned.head.dense.logits(rows) / learned.answers(prepared).temperature
    return dict(zip(KINDS, softmax(logits, axis=1), strict=True))


def _features(settings: TrainingSettings, backbone: Backbone, folder: Path) -> np.ndarray:
    """Return the features of one file of each kind, as those of training pictures are made."""
    pictures = []
    for kind, make in KINDS.items():
        (folder / kind).write_bytes(make())
        digest = hashlib.sha256((folder / kind).read_bytes()).hexdigest()
        pictures.append(Picture(kind, "", digest, ""))
    place = settings.bottleneck_dir / "backbones"
    return features.compute(
        FolderFiles(folder),
        pictures,
        extractors.prepare(backbone, place, report=lambda text: None),
        features.cache(backbone, folder / "features"),
        advance=lambda done, total: None,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_served_answer_is_the_trained_one(
    kind: str, served: serving.ServedModel, trained: dict[str, np.ndarray]
) -> None:
    """Within 1e-4 for every way that a file can say the same picture."""
    answer = served.predict(served.prepare(KINDS[kind]())[None])[0]

    assert np.abs(answer - trained[kind]).max() < 1e-4


def test_the_files_are_different_enough_to_compare(served: serving.ServedModel) -> None:
    """Guards the test above: a model that always says the same would pass it."""
    answers = {kind: served.classify(KINDS[kind](), k=1)[0].probability for kind in KINDS}

    assert len({round(value, 6) for value in answers.values()}) > 4
