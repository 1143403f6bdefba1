"""The same bytes get the same answer, whoever is asked: training, command line, service, bulk."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import create_app
from model_store import ModelStore
from petiole import label_image_command
from tests.test_bulk.conftest import lines_of, zipped
from tests.test_training.conftest import COLOURS, draw, encode, fill
from training import run
from training.journal import Journal
from training.settings import settings_of

PICTURES = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, hub_folder: Path) -> Path:
    """A folder with pictures, the store that was trained on them, and what is foreign to them."""
    root = tmp_path_factory.mktemp("same")
    for label in COLOURS:
        fill(root / "pictures", label, 70)
    (root / "foreign").mkdir()
    for i in range(4):
        grey = draw(i, (250, 250, 250), 90)
        (root / "foreign" / f"{i}.jpg").write_bytes(encode(grey, "JPEG", quality=95))
    values = {
        "image_dir": root / "pictures",
        "name": "same",
        "tfhub_module": str(hub_folder),
        "bottleneck_dir": root / "cache",
        "runs_dir": root / "runs",
        "validation_percentage": 20,
        "testing_percentage": 20,
        "foreign": root / "foreign",
    }
    run.train(settings_of(values), ModelStore.open(str(root / "store")), Journal())
    return root


@pytest.fixture(scope="module")
def trained(place: Path) -> dict[str, dict[str, Any]]:
    """What the training's report says of some files, by their place."""
    files = ModelStore.open(str(place / "store")).fetch("same", 1)
    measured = json.loads((files / "report.json").read_text("utf-8"))["trust"]
    own = {f"pictures/{each['path']}": each for each in measured["test_pictures"][:PICTURES]}
    return own | {f"foreign/{each['path']}": each for each in measured["foreign_pictures"]}


@pytest.fixture(params=["tensorflow", "litert", "openvino"])
def client(request: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A service that predicts with one runtime, and four pictures of a bulk at once."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(place / "store"))
    monkeypatch.setenv("PETIOLE_MODELS_DEFAULT_MODEL", "same")
    monkeypatch.setenv("PETIOLE_MODELS_RUNTIME", request.param)
    monkeypatch.setenv("PETIOLE_TASKS_BULK_BATCH", "4")
    return create_app().test_client()


def _by_itself(client: FlaskClient, upload: bytes) -> dict[str, Any]:
    form = {"image": (BytesIO(upload), "picture")}
    document: dict[str, Any] = client.post("/classify?wait=5", data=form).json
    return document


def _said(document: dict[str, Any]) -> tuple[Any, ...]:
    best = document["predictions"][0]
    members = (document[name] for name in ("verdict", "label_set"))
    return (best["label"], *members)


def _numbers(document: dict[str, Any]) -> list[float]:
    return [document["predictions"][0]["probability"], document["novelty"]]


def test_whoever_is_asked_says_the_same(
    client: FlaskClient,
    place: Path,
    trained: dict[str, dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Label, set and verdict; probability and novelty to 1e-4, which float32 rounding explains."""
    uploads = {name: (place / name).read_bytes() for name in trained}
    alone = [_by_itself(client, upload) for upload in uploads.values()]
    bulk = client.post("/bulk", data=zipped(uploads)).json["bulk_id"]
    named = {line["name"]: line for line in lines_of(client, bulk)}
    label_image_command.main(
        ["--json", "--model", "same", *(str(place / each) for each in trained)]
    )
    printed = json.loads(capsys.readouterr().out)["pictures"]

    for i, (name, found) in enumerate(trained.items()):
        doubts = found["doubts"]
        expected = (found["label"], doubts["verdict"], doubts["label_set"])
        for document in (alone[i], named[name], printed[i]):
            assert _said(document) == expected
            numbers = [found["probability"], doubts["novelty"]]
            assert _numbers(document) == pytest.approx(numbers, abs=1e-4)


def test_there_is_something_to_compare(trained: dict[str, dict[str, Any]]) -> None:
    """Guards the test above: all verdicts being the same would pass it."""
    assert len({each["doubts"]["verdict"] for each in trained.values()}) > 1
