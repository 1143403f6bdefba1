"""Features: once for each content, over all cores, going on after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model_store import ModelStore, PreprocessingSpec
from tests.test_training.conftest import ROOT, check, draw, encode, fill
from training.errors import DataError
from training.learning import features
from training.learning.backbone import Backbone
from training.learning.extractors import Extractor
from training.learning.features import View
from training.pictures import sources
from training.pictures.augmentation import Augmentation

SLOW_PROGRAM = """
import sys, time
from pathlib import Path
from tests.test_training import test_features as tests
from training.pictures.folders import FolderFiles

class Slow(FolderFiles):
    def read(self, path):
        time.sleep(0.02)
        return super().read(path)

tests.compute(Path(sys.argv[1]), sys.argv[2], Slow(Path(sys.argv[1])))
"""


def _extractor(store_url: str) -> Extractor:
    store = ModelStore.open(store_url)
    card = store.card("colours", 1)
    files = store.fetch("colours", 1)
    return Extractor("openvino", files / card.variants[0].path, card, files)


def backbone(identity: str = "ab" * 32, crop_fraction: float = 1.0) -> Backbone:
    """Return what names the features: the colour model's three numbers."""
    return Backbone(
        name="colours",
        spec=PreprocessingSpec(8, crop_fraction),
        width=3,
        identity=identity,
        origin=None,
        licence="",
        network=None,
    )


def compute(
    folder: Path,
    store_url: str,
    source: sources.Source | None = None,
    view: View | None = None,
) -> tuple[np.ndarray, list[int]]:
    """Return the features of a folder's pictures, and how many were done at each report."""
    done: list[int] = []
    rows = features.compute(
        source or sources.open_source(folder),
        check(folder).pictures,
        _extractor(store_url),
        features.cache(backbone(), folder.parent / "features", view),
        view=view,
        advance=lambda n, total: done.append(n),
    )
    return rows, done


def test_features_are_those_of_the_network(folder: Path, colour_store: str) -> None:
    """Row for row what the artifact says to each picture's prepared pixels."""
    rows, _ = compute(folder, colour_store)
    extractor = _extractor(colour_store)
    from model_store.preprocessing import prepare

    pictures = check(folder).pictures
    uploads = [(folder / picture.path).read_bytes() for picture in pictures]
    pixels = np.stack([prepare(upload, extractor.card.preprocessing) for upload in uploads])
    assert rows.tolist() == extractor.load().predict(pixels).tolist()


def test_a_second_run_computes_nothing(folder: Path, colour_store: str) -> None:
    """Everything is known from the start, and equal."""
    first, _ = compute(folder, colour_store)

    again, done = compute(folder, colour_store)

    assert done == [36]
    assert (first == again).all()


def test_a_replaced_picture_gets_new_features(folder: Path, colour_store: str) -> None:
    """retrain.py's cache went by name: a replaced picture kept the features of the old one."""
    compute(folder, colour_store)
    (folder / "玫瑰" / "000.png").write_bytes(encode(draw(4242, (250, 250, 0))))

    rows, done = compute(folder, colour_store)

    assert done[0] == 35
    fresh, _ = compute(folder, colour_store)
    assert (rows == fresh).all()


def test_other_weights_and_other_preprocessing_have_their_own_features(tmp_path: Path) -> None:
    """retrain.py mixed those of modules whose handles it shortened to the same text."""
    caches = [
        features.cache(backbone(), tmp_path),
        features.cache(backbone(identity="cd" * 32), tmp_path),
        features.cache(backbone(crop_fraction=0.875), tmp_path),
        features.cache(backbone(), tmp_path, View(Augmentation(random_crop=10), 0)),
        features.cache(backbone(), tmp_path, View(Augmentation(random_crop=10, seed=1), 0)),
        features.cache(backbone(), tmp_path, View(Augmentation(random_crop=10), 1)),
    ]
    for i, cache in enumerate(caches):
        cache.add([f"{i:064x}"], np.zeros((1, 3), np.float32))

    assert len(list(tmp_path.iterdir())) == 6


def test_changed_views_have_other_features(folder: Path, colour_store: str) -> None:
    """Augmentation reaches the network."""
    plain, _ = compute(folder, colour_store)
    darker, _ = compute(folder, colour_store, view=View(Augmentation(random_brightness=90), 0))

    assert (plain != darker).any(axis=1).mean() > 0.9


def test_a_picture_that_changes_meanwhile_stops_the_run(folder: Path, colour_store: str) -> None:
    """Its label and split belong to the old content; the message says what to do."""
    source = sources.open_source(folder)
    pictures = check(folder).pictures
    (folder / pictures[0].path).write_bytes(encode(draw(31)))

    with pytest.raises(DataError, match="changed while training; start again"):
        features.compute(
            source,
            pictures,
            _extractor(colour_store),
            features.cache(backbone(), folder.parent / "f"),
            advance=lambda n, total: None,
        )


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, colour_store: str) -> None:
    """After kill -9 what was computed is there, and the rest gives the same features."""
    folder = tmp_path / "pictures"
    for label in ("a", "b"):
        fill(folder, label, 120)
    program = [sys.executable, "-c", SLOW_PROGRAM, str(folder), colour_store]
    process = subprocess.Popen(program, cwd=ROOT, env=dict(os.environ))
    written = tmp_path / "features"
    deadline = time.monotonic() + 60
    while not list(written.rglob("*.npy")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()

    resumed, done = compute(folder, colour_store)

    assert 0 < done[0] < 240
    for file in written.rglob("*.npy"):
        file.unlink()
    assert (resumed == compute(folder, colour_store)[0]).all()
