"""Serving, training and label_image see the same picture in every layout, or refuse it alike."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model_store import ModelStore, preprocessing, serving
from model_store.errors import ImageError
from model_store.pictures.decoding import decode
from tests import colour_model
from tests.pictures import table
from training.journal import Journal
from training.learning import features
from training.pictures import inspection
from training.pictures.entries import Entry
from training.pictures.folders import FolderFiles
from training.publishing import frozen_graph

SIDE = 16
TOO_SMALL = "each side needs 32"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> serving.ServedModel:
    """A published model in the runtime that a worker would choose."""
    store_url = str(tmp_path_factory.mktemp("store"))
    colour_model.publish(store_url)
    return serving.load(ModelStore.open(store_url), "colours")


def _said(look: Callable[[bytes], NDArray[np.generic]], upload: bytes) -> bytes | str:
    """Return the pixels that one of them sees, or the sentence of its refusal."""
    try:
        return look(upload).tobytes()
    except ImageError as exc:
        return str(exc)


def test_all_see_what_the_table_says(served: serving.ServedModel) -> None:
    """One function decodes for all of them; each is asked through its own way in."""
    spec = served.card.preprocessing
    conventions = frozen_graph.Conventions(
        "in", "out", input_height=SIDE, input_width=SIDE, input_mean=0, input_std=1
    )

    def decoded(upload: bytes) -> NDArray[np.generic]:
        shorter_side = math.ceil(spec.input_size / spec.crop_fraction)
        return preprocessing.pixels(decode(upload, shorter_side=shorter_side), spec)

    def resized(upload: bytes) -> NDArray[np.generic]:
        small = decode(upload).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        return np.asarray(small, np.float32)

    def labelled(upload: bytes) -> NDArray[np.generic]:
        return frozen_graph.classify(upload, lambda pixels: pixels, conventions)

    for one in table.outcomes():
        upload = one.layout.upload
        expected = _said(decoded, upload)
        assert _said(served.prepare, upload) == expected
        assert _said(features.pixels_of(spec, None), upload) == expected
        assert _said(labelled, upload) == _said(resized, upload)


def test_the_data_check_says_what_the_table_says(tmp_path: Path) -> None:
    """A file is used, too small, or refused with the sentence that its upload would get."""
    found = table.outcomes()
    entries = [Entry(f"label/{number}", "label") for number in range(len(found))]
    (tmp_path / "label").mkdir()
    for entry, one in zip(entries, found, strict=True):
        (tmp_path / entry.path).write_bytes(one.layout.upload)

    inspected = inspection.inspect_all(
        FolderFiles(tmp_path),
        entries,
        inspection.findings_cache(tmp_path / "cache"),
        advance=Journal().count,
    )

    for one, said in zip(found, inspected, strict=True):
        if not one.is_right:
            assert said.reason == one.answer
        elif said.reason:
            assert TOO_SMALL in said.reason
