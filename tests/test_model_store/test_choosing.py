"""Which variant `auto` takes: the fastest on this machine, measured once."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from model_store import ModelCard, ModelStore, Variant, choosing, serving

MILLISECONDS = {"litert:int8": 5.0, "openvino:int8": 4.0}


def _variant(choice: str, milliseconds: float, *, serves: bool = True) -> Variant:
    runtime, _, precision = choice.partition(":")
    return Variant(runtime, precision, choice, 1.0, 0.0, milliseconds, serves, "measured in a test")


@pytest.fixture
def card(draft: ModelCard) -> ModelCard:
    """A card with four variants that may serve, and the quickest, which may not."""
    variants = (
        _variant("tensorflow:float32", 1),
        _variant("litert:float32", 9),
        _variant("litert:int8", 5),
        _variant("openvino:int8", 6),
        _variant("openvino:float32", 0.1, serves=False),
    )
    return replace(draft, variants=variants)


@pytest.fixture
def private_cache(tiny_store: ModelStore, tmp_path: Path) -> ModelStore:
    """The tiny network's store, with nothing remembered."""
    return ModelStore.open(str(tiny_store.fetch("tiny", 1).parents[1]), cache_directory=tmp_path)


@pytest.mark.parametrize(
    ("runtime", "choices"),
    [
        ("auto", ["litert:int8", "openvino:int8", "litert:float32", "tensorflow:float32"]),
        ("litert", ["litert:int8", "litert:float32"]),
        ("litert:float32", ["litert:float32"]),
        ("tensorflow", ["tensorflow:float32"]),
        ("openvino:float32", []),
        ("openvinyl", []),
    ],
)
def test_a_request_names_variants(card: ModelCard, runtime: str, choices: list[str]) -> None:
    """Only those that may serve; for `auto` the reference comes last, however quick it was."""
    assert choices == [variant.choice for variant in choosing.candidates(card, runtime)]


def test_what_was_measured_is_remembered(card: ModelCard, tmp_path: Path) -> None:
    """The next process reads what this one wrote."""
    choosing.remember(card, card.variants, tmp_path, MILLISECONDS)

    assert choosing.recall(card, card.variants, tmp_path) == MILLISECONDS


def test_another_version_is_measured_anew(card: ModelCard, tmp_path: Path) -> None:
    """So is a version of the same number from another store."""
    choosing.remember(card, card.variants, tmp_path, MILLISECONDS)

    assert choosing.recall(replace(card, version=2), card.variants, tmp_path) == {}
    assert choosing.recall(replace(card, created_at="later"), card.variants, tmp_path) == {}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"milliseconds": 1}', '{"milliseconds": {"a": "b"}}']
)
def test_a_damaged_file_is_measured_anew(card: ModelCard, tmp_path: Path, text: str) -> None:
    """Nothing that is written there stops a child."""
    choosing.remember(card, card.variants, tmp_path, MILLISECONDS)
    [file] = (tmp_path / choosing.FOLDER).iterdir()
    file.write_text(text)

    assert choosing.recall(card, card.variants, tmp_path) == {}


def test_a_cache_that_cannot_be_written_is_only_warned_about(
    card: ModelCard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The child serves; the next one measures again."""
    (tmp_path / choosing.FOLDER).write_text("a file where the folder should be")

    choosing.remember(card, card.variants, tmp_path, MILLISECONDS)

    assert [record.message for record in caplog.records] == ["choice not remembered"]


def test_children_that_start_at_once_leave_one_whole_file(card: ModelCard, tmp_path: Path) -> None:
    """Whoever reads meanwhile reads the one or the other."""

    def start(_: int) -> dict[str, float]:
        choosing.remember(card, card.variants, tmp_path, MILLISECONDS)
        return choosing.recall(card, card.variants, tmp_path)

    with ThreadPoolExecutor(8) as children:
        found = list(children.map(start, range(24)))

    assert found == [MILLISECONDS] * 24
    assert len(list((tmp_path / choosing.FOLDER).iterdir())) == 1


def test_the_first_load_measures_and_the_next_one_believes_it(private_cache: ModelStore) -> None:
    """The file decides: with other numbers in it another variant is taken."""
    first = serving.load(private_cache, "tiny@1")
    [file] = (private_cache.cache_directory / choosing.FOLDER).iterdir()
    document = json.loads(file.read_text())
    slowest = max(document["milliseconds"], key=document["milliseconds"].get)
    file.write_text(json.dumps({"milliseconds": document["milliseconds"] | {slowest: 0.0}}))

    assert first.variant.choice == min(document["milliseconds"], key=document["milliseconds"].get)
    assert slowest == serving.load(private_cache, "tiny@1").variant.choice


def test_choosing_does_not_load_tensorflow(private_cache: ModelStore) -> None:
    """Neither when measuring nor when remembering, though TensorFlow may serve."""
    url = str(private_cache.fetch("tiny", 1).parents[1])
    program = (
        "import sys; from pathlib import Path; from model_store import ModelStore, serving;"
        "store = ModelStore.open(sys.argv[1], cache_directory=Path(sys.argv[2]));"
        "serving.load(store, 'tiny@1').warm_up(); print('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", program, url, str(private_cache.cache_directory)]
    answers = [subprocess.check_output(command, cwd=Path(__file__).parents[2]) for _ in range(2)]

    assert answers == [b"False\n"] * 2
