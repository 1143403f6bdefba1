"""The int8 variants of `imagenet` on photographs that nobody calibrated them on."""

import os
from pathlib import Path

import numpy as np
import pytest

from model_store import ModelStore, drawings, preprocessing, runtimes
from model_store.golden import one_by_one
from model_store.picture_sets import DRAWN_TO_CALIBRATE

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = Path(os.environ.get("PETIOLE_TEST_IMAGENET", ROOT.parent / "shared/data/imagenet"))

pytestmark = pytest.mark.skipif(not PHOTOGRAPHS.exists(), reason=f"no photographs in {PHOTOGRAPHS}")


@pytest.mark.parametrize("name", ["litert", "openvino"])
def test_int8_names_the_photographs(imagenet_store: ModelStore, tmp_path: Path, name: str) -> None:
    """Top-1 of at least 0.85 on 99 photographs, calibrated on drawn pictures alone."""
    pytest.importorskip("tensorflow")
    card = imagenet_store.card(*imagenet_store.resolve("imagenet"))
    saved_model = imagenet_store.fetch(card.name, card.version)
    textures = drawings.textures(DRAWN_TO_CALIBRATE, input_size=224)
    classes = PHOTOGRAPHS.parent / "imagenet_classes.tsv"
    rows = [line.split("\t") for line in classes.read_text().splitlines()[1:]]
    index_of = {wordnet_id: int(index) for index, wordnet_id, _ in rows}
    paths = sorted(PHOTOGRAPHS.glob("n*.JPEG"))
    expected = [index_of[path.name.partition("_")[0]] for path in paths]
    images = [preprocessing.prepare(path.read_bytes(), card.preprocessing) for path in paths]

    artifact = runtimes.find(name).quantize(saved_model, tmp_path, textures)
    loaded = runtimes.find(name).load(artifact, card, threads=1)
    best = one_by_one(loaded.predict, np.stack(images)).argmax(axis=1)

    assert (best == expected).mean() >= 0.85
