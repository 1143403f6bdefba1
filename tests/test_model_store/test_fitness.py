"""Whether a variant may serve on a kind of CPU: judged there, once, on drawn pictures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model_store import ModelStore, fingerprints, fitness, machine, serving
from model_store.doubts.section import AFTER_NETWORK, Calibration, Trust
from model_store.errors import ModelFormatError
from model_store.serving import ServedModel
from tests import saturating
from tests.conftest import ROOT

WITHOUT_VNNI = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
PROGRAM = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from model_store import ModelStore, serving
store = ModelStore.open(sys.argv[1], cache_directory=Path(sys.argv[2]))
served = serving.load(store, "saturating", runtime=sys.argv[3])
(judgement,) = served.judgements
print(json.dumps({"serves": served.variant.choice, **asdict(judgement)}))
"""

needs_vnni = pytest.mark.skipif(
    "vnni" not in machine.description(), reason="sums saturate on this CPU whatever is allowed"
)


def _store(place: Path, name: str, quantize: saturating.Quantize, **options: bool) -> ModelStore:
    store = ModelStore.open(str(place / name), cache_directory=place / f"{name}-cache")
    saturating.publish(store, quantize, **options)
    return store


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelStore]:
    """The same network quantized with the fix, without it, and before there were fingerprints."""
    place = tmp_path_factory.mktemp("stores")
    return {
        "careful": _store(place, "careful", saturating.carefully),
        "careless": _store(place, "careless", saturating.carelessly),
        "old": _store(place, "old", saturating.carefully, has_fingerprint=False),
    }


@pytest.fixture
def careful(stores: dict[str, ModelStore], tmp_path: Path) -> ModelStore:
    """The first of them, with nothing remembered."""
    return ModelStore.open(stores["careful"].place, cache_directory=tmp_path / "cache")


def _without_vnni(store: ModelStore, runtime: str) -> dict[str, object]:
    """Return what a process that may not use VNNI serves, and how it judges int8."""
    words = [store.place, str(store.cache_directory), runtime]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, **WITHOUT_VNNI},
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@needs_vnni
def test_a_cpu_whose_sums_saturate_keeps_careless_int8_out(stores: dict[str, ModelStore]) -> None:
    """Float32 serves in its place; the same file is fit where it was made."""
    found = _without_vnni(stores["careless"], "auto")
    (here,) = serving.load(stores["careless"], "saturating").judgements

    assert (found["serves"], found["is_fit"], here.is_fit) == ("openvino:float32", False, True)
    assert "it does not answer here as where it was made: the same best" in str(found["reason"])
    assert "it agreed with float32 on 99.0% of 200 real pictures" in str(found["reason"])


@needs_vnni
def test_int8_made_with_the_fix_is_fit_for_both(stores: dict[str, ModelStore]) -> None:
    """As the product makes it: nothing saturates, so the answers are the same."""
    found = _without_vnni(stores["careful"], "openvino")

    assert found["is_fit"], found["reason"]
    assert "on 100.0% of 64 drawn pictures" in str(found["reason"])


def test_a_temperature_makes_no_other_network(tmp_path: Path) -> None:
    """The version that `models calibrate` publishes has its fingerprint from the one before."""
    calibration = Calibration(3.0, AFTER_NETWORK, 100, 0.1, 0.01, 100)
    store = ModelStore.open(str(tmp_path / "models"), cache_directory=tmp_path / "cache")
    saturating.publish(store, saturating.carefully, trust=Trust(calibration=calibration))
    (judgement,) = serving.load(store, "saturating").judgements

    assert judgement.is_fit


@needs_vnni
def test_what_is_asked_for_by_name_is_served_with_a_warning(stores: dict[str, ModelStore]) -> None:
    """An operator's explicit wish; to refuse it would leave nothing that serves."""
    found = _without_vnni(stores["careless"], "openvino:int8")

    assert (found["serves"], found["is_fit"]) == ("openvino:int8", False)
    assert str(found["reason"]).startswith("served, as it is asked for by name, but it does not")


def test_int8_without_a_fingerprint_is_left_out(
    stores: dict[str, ModelStore], caplog: pytest.LogCaptureFixture
) -> None:
    """As of a version from before there were any: nobody knows how it does on this CPU."""
    served = serving.load(stores["old"], "saturating")

    assert served.variant.choice == "openvino:float32"
    assert "quantize or publish it again" in served.judgements[0].reason
    assert "variant not fit for this machine" in [record.message for record in caplog.records]


def _judgements(store: ModelStore) -> list[Path]:
    return list((store.cache_directory / fitness.FOLDER).iterdir())


def _served(store: ModelStore) -> ServedModel:
    return serving.load(store, "saturating", runtime="openvino")


def test_a_judgement_is_remembered(careful: ModelStore) -> None:
    """The next child believes what is written, and asks nothing."""
    assert _served(careful).judgements[0].is_fit
    [file] = _judgements(careful)
    document = json.loads(file.read_text())
    document["sameness"]["drift"] = 0.5
    file.write_text(json.dumps(document))

    served = _served(careful)

    assert (served.variant.precision, served.judgements[0].is_fit) == ("float32", False)
    assert "logits moved by 50.0%" in served.judgements[0].reason


def test_another_kind_of_cpu_judges_anew(
    careful: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is limited to other instructions is another kind."""
    _served(careful)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    _served(careful)

    assert len(_judgements(careful)) == 2


@pytest.mark.parametrize("text", ["", "[]", '{"sameness": 1}', '{"sameness": {"n": "x"}}'])
def test_a_damaged_judgement_is_made_again(careful: ModelStore, text: str) -> None:
    """Nothing that is written there stops a child, or lets a variant in."""
    _served(careful)
    [file] = _judgements(careful)
    file.write_text(text)

    assert _served(careful).judgements[0].is_fit
    assert json.loads(file.read_text())["sameness"]["same_top1"] == 1.0


def test_a_cache_that_cannot_be_written_costs_a_judgement_each_start(
    careful: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The variant serves; the next child judges again."""
    careful.cache_directory.mkdir()
    (careful.cache_directory / fitness.FOLDER).write_text("a file where the folder should be")

    assert _served(careful).judgements[0].is_fit
    assert "judgement not remembered" in [record.message for record in caplog.records]


def test_pictures_that_are_drawn_otherwise_prove_nothing(
    tmp_path: Path, careful: ModelStore
) -> None:
    """The message says what to do."""
    card = careful.card("saturating", 1)
    source = careful.fetch("saturating", 1) / card.variants[1].fingerprint
    document = json.loads(source.read_text()) | {"pixels_sha256": "0" * 64}
    (tmp_path / "fingerprint.json").write_text(json.dumps(document))

    with pytest.raises(ModelFormatError, match="install the NumPy and Pillow"):
        fingerprints.compare(tmp_path / "fingerprint.json", card, lambda _: np.zeros((1, 6)))


def test_a_fingerprint_is_small_and_shows_no_picture(careful: ModelStore) -> None:
    """Best labels and probabilities of drawn pictures, hashed like every file of a version."""
    card = careful.card("saturating", 1)
    path = careful.fetch("saturating", 1) / card.variants[1].fingerprint

    assert card.variants[1].fingerprint in card.files
    assert path.stat().st_size < 20_000
    assert {*json.loads(path.read_text())} == {"pixels_sha256", "class_indices", "probabilities"}
