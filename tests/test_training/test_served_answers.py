"""What is served is what was trained: the same answer to the same bytes, whatever way they take.

Through training, every float runtime, any batch and any place in it, the service, a bulk and
`label_image`.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.special import softmax

from api import create_app
from model_store import ModelStore, serving
from petiole import label_image_command
from tests.test_training.conftest import FinishedRun, draw, encode
from training import beginning, lesson
from training.journal import Journal
from training.learning import backbones, extractors, features
from training.learning.backbone import Backbone, Request
from training.pictures.data import Picture
from training.pictures.folders import FolderFiles
from training.settings import TrainingSettings

SAME = 1e-4
"""Largest difference of one probability."""

Trained = dict[str, NDArray[np.floating]]


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


@pytest.fixture(params=["openvino:float32", "litert:float32", "tensorflow:float32"])
def runtime(
    request: pytest.FixtureRequest, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Each float runtime, as the settings name it; they name the model, too."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", finished_run.store_url)
    monkeypatch.setenv("PETIOLE_MODELS_DEFAULT_MODEL", "drawn")
    monkeypatch.setenv("PETIOLE_MODELS_RUNTIME", request.param)
    return str(request.param)


def _off(found: Mapping[str, NDArray[np.floating]], trained: Trained) -> float:
    """Return by how much a probability of any file differs from the training's, at most."""
    assert {*found} == {*KINDS}
    return max(float(np.abs(found[kind] - trained[kind]).max()) for kind in KINDS)


def _row(predictions: list[dict[str, Any]]) -> NDArray[np.floating]:
    """Return the probabilities [classes] that a document lists; classes are sorted by label."""
    ordered = sorted(predictions, key=lambda each: each["label"])
    return np.array([each["probability"] for each in ordered])


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("batch", [1, 2, 5, len(KINDS)])
def test_any_batch_and_place_gives_the_trained_answer(
    finished_run: FinishedRun, runtime: str, trained: Trained, batch: int, backwards: bool
) -> None:
    """Within 1e-4 for every way that a file can say the same picture, whatever is beside it."""
    served = serving.load(ModelStore.open(finished_run.store_url), "drawn", runtime=runtime)
    kinds = [*KINDS][:: -1 if backwards else 1]
    pixels = np.stack([served.prepare(KINDS[kind]()) for kind in kinds])
    parts = [served.predict(pixels[i : i + batch]) for i in range(0, len(pixels), batch)]

    assert _off(dict(zip(kinds, np.concatenate(parts), strict=True)), trained) < SAME


def test_the_service_gives_the_trained_answer(runtime: str, trained: Trained) -> None:
    """One picture in a request, through the task of its worker."""
    client, found = create_app().test_client(), {}
    for kind, make in KINDS.items():
        form = {"image": (io.BytesIO(make()), kind)}
        answer = client.post("/classify", query_string={"wait": 30, "top_k": 9}, data=form).json
        assert answer["runtime"] == runtime.partition(":")[0]
        found[kind] = _row(answer["predictions"])

    assert _off(found, trained) < SAME


@pytest.mark.parametrize("batch", ["1", "5"])
def test_a_bulk_gives_the_trained_answer(
    runtime: str, trained: Trained, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in one request, one after the other or together."""
    monkeypatch.setenv("PETIOLE_TASKS_BULK_BATCH", batch)
    client = create_app().test_client()
    form = {"image": [(io.BytesIO(make()), kind) for kind, make in KINDS.items()]}
    bulk_id = client.post("/bulk", query_string={"top_k": 9}, data=form).json["bulk_id"]
    lines = map(json.loads, client.get(f"/bulk/{bulk_id}/results").text.splitlines())

    assert _off({line["name"]: _row(line["predictions"]) for line in lines}, trained) < SAME


def test_label_image_gives_the_trained_answer(
    runtime: str, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any service, from files."""
    for kind, make in KINDS.items():
        (tmp_path / f"{kind}.jpg").write_bytes(make())
    code = label_image_command.main([str(tmp_path), "--json", "--top_k=9"])
    pictures = json.loads(capsys.readouterr().out)["pictures"]
    found = {Path(each["path"]).stem: _row(each["predictions"]) for each in pictures}

    assert code == 0
    assert _off(found, trained) < SAME


def test_the_files_are_different_enough_to_compare(served: serving.ServedModel) -> None:
    """Guards the test above: a model that always says the same would pass it."""
    answers = {kind: served.classify(KINDS[kind](), k=1)[0].probability for kind in KINDS}

    assert len({round(value, 6) for value in answers.values()}) > 4
