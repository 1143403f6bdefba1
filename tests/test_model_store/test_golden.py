"""The golden check: no child serves that answers differently than where it was published."""

import io
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from model_store import ModelCard, ModelStore, golden, serving
from model_store.card import Resample
from model_store.errors import GoldenMismatchError, ModelFormatError
from model_store.serving import ServedModel

ROOT = Path(__file__).parents[2]
CHOICES = ("litert:float32", "litert:int8", "openvino:float32", "openvino:int8", "tensorflow")
OTHER_KERNELS = sorted({*get_args(Resample)} - {"bicubic"})


@pytest.fixture(params=CHOICES)
def model(request: pytest.FixtureRequest, tiny_store: ModelStore) -> ServedModel:
    """The tiny network through each variant."""
    return serving.load(tiny_store, "tiny@1", runtime=request.param, threads=1)


@pytest.fixture
def colours(colour_store: str) -> ServedModel:
    """A network that needs neither TensorFlow nor much time."""
    return serving.load(ModelStore.open(colour_store), "colours")


def test_every_variant_reproduces_the_golden_pictures(model: ServedModel) -> None:
    """What was published is what this machine computes."""
    model.warm_up()

    assert model.card.golden


@pytest.mark.parametrize("kernel", OTHER_KERNELS)
def test_another_resize_kernel_is_refused(model: ServedModel, kernel: Resample) -> None:
    """Each of them, through every variant, by name of the picture and by how much it is off."""
    spec = replace(model.card.preprocessing, resample=kernel)
    changed = replace(model, card=replace(model.card, preprocessing=spec))

    with pytest.raises(GoldenMismatchError, match=r"pixels .* golden/\w+\.\w+ are off by \d"):
        changed.warm_up()


@pytest.mark.parametrize("change", [{"crop_fraction": 0.86}, {"channel_order": "BGR"}])
def test_other_preprocessing_is_refused(model: ServedModel, change: dict[str, object]) -> None:
    """A slightly different crop or the other order of the channels."""
    spec = replace(model.card.preprocessing, **change)
    changed = replace(model, card=replace(model.card, preprocessing=spec))

    with pytest.raises(GoldenMismatchError, match="publish it again"):
        changed.check_golden()


def test_a_kernel_changed_by_hand_is_refused(colour_store: str, tmp_path: Path) -> None:
    """Somebody edits the code of a worker's installation; the version stays as it is."""
    shutil.copytree(ROOT / "model_store", tmp_path / "model_store")
    file = tmp_path / "model_store" / "preprocessing.py"
    file.write_text(file.read_text().replace("_KERNELS[spec.resample]", "Image.Resampling.BOX"))
    program = "import sys; from model_store import ModelStore, serving; " + (
        "serving.load(ModelStore.open(sys.argv[1]), 'colours').warm_up()"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, colour_store],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert result.returncode == 1
    assert "GoldenMismatchError: colours@1: the pixels (0 to 255) of golden/" in result.stderr


@pytest.mark.parametrize(("share", "refused"), [(0.99, False), (1.01, True)])
def test_probabilities_may_be_off_by_the_tolerance(
    colours: ServedModel, share: float, refused: bool
) -> None:
    """A runtime that answers a little differently is refused from there on."""
    off = np.float32(share * colours.variant.tolerance)

    def predict(images: np.ndarray) -> np.ndarray:
        return colours.predict(images) + off

    if not refused:
        golden.check(colours.directory, colours.card, colours.variant, predict)
        return
    with pytest.raises(GoldenMismatchError, match=r"through openvino:float32.*allowed is 0\.0010"):
        golden.check(colours.directory, colours.card, colours.variant, predict)


def test_answers_that_are_no_numbers_are_refused(colours: ServedModel) -> None:
    """NaN compares as neither more nor less than the tolerance."""

    def predict(images: np.ndarray) -> np.ndarray:
        return colours.predict(images) * np.float32("nan")

    with pytest.raises(GoldenMismatchError, match="off by nan"):
        golden.check(colours.directory, colours.card, colours.variant, predict)


def test_a_version_without_golden_pictures_is_refused(colours: ServedModel) -> None:
    """Nobody could tell whether it answers rightly here."""
    bare = replace(colours, card=replace(colours.card, golden=()))

    with pytest.raises(GoldenMismatchError, match="colours@1 has no golden pictures"):
        bare.warm_up()


def test_the_pictures_cover_what_uploads_do(colours: ServedModel) -> None:
    """PNG and JPEG, one turned by EXIF, one of odd shape, one grey, one transparent."""
    uploads = [(colours.directory / path).read_bytes() for path in colours.card.golden]
    files = [Image.open(io.BytesIO(upload)) for upload in uploads]

    assert {"PNG", "JPEG"} == {file.format for file in files}
    assert {"RGB", "L", "RGBA"} == {file.mode for file in files}
    assert [file.getexif()[0x0112] for file in files if 0x0112 in file.getexif()] == [6]
    assert max(file.width / file.height for file in files) > 5


def test_the_pictures_are_the_same_each_time(colours: ServedModel, tmp_path: Path) -> None:
    """Two publishers of one model publish the same files."""
    again = golden.write(tmp_path, colours.card.preprocessing, colours.predict)
    files = [*again, golden.PIXELS, golden.PROBABILITIES]

    assert again == colours.card.golden
    for file in files:
        assert (tmp_path / file).read_bytes() == (colours.directory / file).read_bytes()


def test_the_check_is_quick(imagenet_store: ModelStore) -> None:
    """A child is not held up: 50 to 80 ms on a quiet machine; the bound is for a busy one."""
    model = serving.load(imagenet_store, "imagenet", runtime="openvino")
    model.warm_up()
    started = time.perf_counter()
    model.check_golden()

    assert time.perf_counter() - started < 0.5


def test_a_card_that_promises_missing_pictures_is_not_published(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """A version that no worker could check never becomes visible."""
    with pytest.raises(ModelFormatError, match=r"golden/a\.png is not among the files"):
        store.publish(files, replace(draft, golden=("golden/a.png",)))
