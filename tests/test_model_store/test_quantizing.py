"""Int8 from the user's own pictures, for a version that is in the store already."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model_store import ModelStore, agreement, quantizing, serving
from model_store.errors import CalibrationError
from model_store.quantizing import Quantized
from tests.conftest import ROOT


def _store(tiny_store: ModelStore, place: Path) -> ModelStore:
    """Return a store of its own with `tiny@1` and `tiny@2`, which has no int8 that serves."""
    shutil.copytree(tiny_store.fetch("tiny", 2).parents[1], place / "store")
    return ModelStore.open(str(place / "store"), cache_directory=place / "cache")


@pytest.fixture
def store(tiny_store: ModelStore, tmp_path: Path) -> ModelStore:
    """A store that the test may write to."""
    return _store(tiny_store, tmp_path)


@pytest.fixture
def quantized(
    store: ModelStore, pictures_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> Quantized:
    """What became of `tiny@2`; a network this small is as fast in float32, so nobody asks that."""
    monkeypatch.setattr(quantizing, "is_faster", lambda *_: True)
    return quantizing.quantize(store, "tiny@2", pictures_directory, report=lambda _: None)


def test_the_next_version_has_the_variant(quantized: Quantized, store: ModelStore) -> None:
    """All else is as it was, and the card says on how many pictures it agreed, and how surely."""
    card = quantized.card
    assert card is not None
    assert store.card("tiny", 3) == card
    before = {variant.choice: variant for variant in store.card("tiny", 2).variants}
    after = {variant.choice: variant for variant in card.variants}
    made = {attempt.variant.choice: attempt.variant for attempt in quantized.attempts}
    assert {*made} == {"openvino:int8", "litert:int8"}
    assert after == before | made
    said = quantized.best.variant.reason
    assert "on 60 pictures that it was not calibrated on: same top-1 on" in said
    assert "with 95 % certainty on" in said


@pytest.mark.parametrize("choice", ["openvino:int8", "litert:int8"])
def test_the_variant_is_served(quantized: Quantized, store: ModelStore, choice: str) -> None:
    """It answers the golden pictures within its tolerance, as every version must."""
    served = serving.load(store, quantized.card.ref, runtime=choice)

    served.warm_up()


def test_what_does_not_agree_is_not_published(
    store: ModelStore, pictures_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is as it was, and the reason is told."""
    monkeypatch.setattr(agreement, "INT8_SURE_TOP1", 0.999)

    found = quantizing.quantize(store, "tiny@2", pictures_directory, report=lambda _: None)

    assert (found.card, found.best.variant.serves) == (None, False)
    assert found.reason.count("does not agree") == 2
    assert store.versions("tiny") == (1, 2)


def test_what_is_slower_is_not_published(
    store: ModelStore, pictures_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Int8 that takes longer has nothing to offer."""
    monkeypatch.setattr(quantizing, "is_faster", lambda *_: False)

    found = quantizing.quantize(store, "tiny@2", pictures_directory, report=lambda _: None)

    assert (found.card, found.best.variant.serves) == (None, False)
    assert "it agrees, but takes" in found.reason


def test_a_runtime_that_cannot_be_quantized_is_left_out(
    store: ModelStore, pictures_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's variant is made all the same, and the reason is told."""
    monkeypatch.setattr(quantizing, "is_faster", lambda *_: True)
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    said: list[str] = []

    found = quantizing.quantize(store, "tiny@2", pictures_directory, report=said.append)

    assert [attempt.variant.choice for attempt in found.attempts] == ["openvino:int8"]
    assert any("Left out litert int8: AI Edge Quantizer cannot be" in line for line in said)


def test_one_that_does_not_serve_leaves_no_file(
    store: ModelStore, pictures_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two variants one is slower: the card has its reason, the version only the other."""
    monkeypatch.setattr(quantizing, "is_faster", lambda made, _: made.runtime == "litert")

    found = quantizing.quantize(store, "tiny@2", pictures_directory, report=lambda _: None)

    assert found.best.variant.choice == "litert:int8"
    files = [Path(path) for path in found.card.files if "int8" in path]
    assert {path.parent.as_posix() for path in files} == {"litert/int8"}
    assert [path.name for path in files] == ["fingerprint.json", "model.tflite"]


def test_few_pictures_prove_nothing(
    store: ModelStore, pictures_directory: Path, tmp_path: Path
) -> None:
    """Fewer than fifty are refused before anything is measured."""
    some = tmp_path / "some"
    shutil.copytree(pictures_directory, some)
    for path in sorted(some.rglob("*.png"))[-15:]:
        path.unlink()

    with pytest.raises(CalibrationError, match="has 45 pictures; int8 is judged on at least 50"):
        quantizing.quantize(store, "tiny@2", some, report=lambda _: None)


def test_tensorflow_is_not_loaded(
    store: ModelStore, pictures_directory: Path, tmp_path: Path
) -> None:
    """An image without it can quantize; what came of it is told as a document."""
    program = "import sys\nsys.modules['tensorflow'] = None\nfrom petiole.cli import main\nmain()\n"
    words = ["models", "quantize", "tiny@2", "--images", str(pictures_directory), "--json"]
    places = {
        "PETIOLE_MODELS_STORE_URL": str(tmp_path / "store"),
        "PETIOLE_MODELS_CACHE_DIRECTORY": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=os.environ | places,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    document = json.loads(done.stdout)
    assert [made["runtime"] for made in document["variants"]] == ["openvino", "litert"]
    assert (document["version"] is None) == (done.returncode == 1), done.stderr
