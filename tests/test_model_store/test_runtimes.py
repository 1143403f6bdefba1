"""The promises of a runtime, on every built-in one."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from model_store import ModelCard, PreprocessingSpec, drawings, runtimes
from model_store.errors import ModelFormatError, RuntimeUnavailableError
from model_store.runtimes import LoadedArtifact, Quantizer
from tests.conftest import ROOT

NAMES = ("litert", "openvino", "tensorflow")
VARIANTS = (
    "litert:float32",
    "litert:int8",
    "openvino:float32",
    "openvino:int8",
    "tensorflow:float32",
)

# Float32 runtimes add in another order; 1e-6 is some ten units in the last place of 1.0.
TOLERANCE = 1e-6

# Int8 has 255 steps between the extremes of a layer, and the tiny network's logits reach 100.
INT8_TOLERANCE = 0.2


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Seven different pictures [7, 32, 32, 3]."""
    return np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), np.uint8)


@pytest.fixture
def card(draft: ModelCard) -> ModelCard:
    """The card of the tiny network."""
    return replace(draft, labels=tuple("abcde"), preprocessing=PreprocessingSpec(32, 1.0))


@pytest.fixture(scope="module")
def artifacts(tiny_saved_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny network as every runtime's artifact, in every precision that the runtime has."""
    place = tmp_path_factory.mktemp("artifacts")
    made = {}
    for name in NAMES:
        runtime = runtimes.find(name)
        made[f"{name}:float32"] = runtime.convert(tiny_saved_model, place / name)
        if isinstance(runtime, Quantizer):
            textures = drawings.textures(50, input_size=32)
            made[f"{name}:int8"] = runtime.quantize(tiny_saved_model, place / f"{name}-8", textures)
    return made


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """A runtime and a precision."""
    return str(request.param)


@pytest.fixture
def artifact(variant: str, artifacts: dict[str, Path], card: ModelCard) -> LoadedArtifact:
    """The tiny network, loaded."""
    return runtimes.find(variant.partition(":")[0]).load(artifacts[variant], card, threads=1)


def test_a_runtime_makes_the_precisions_that_it_has(artifacts: dict[str, Path]) -> None:
    """All make float32; TensorFlow, which runs the SavedModel itself, has no int8."""
    assert set(VARIANTS) == set(artifacts)


def test_the_built_in_runtimes_are_registered() -> None:
    """They are found the way another package's runtime is found."""
    assert set(NAMES) <= set(runtimes.names())


def test_an_unknown_runtime_is_answered_with_the_known_ones() -> None:
    """Whoever mistypes a runtime sees the right one."""
    with pytest.raises(RuntimeUnavailableError, match=r"'openvinyl'.*openvino"):
        runtimes.find("openvinyl")


def test_rows_are_probabilities(artifact: LoadedArtifact, images: np.ndarray) -> None:
    """Float32 [N, classes], each row summing to one."""
    probabilities = artifact.predict(images)

    assert ((7, 5), np.float32) == (probabilities.shape, probabilities.dtype)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=TOLERANCE)


def test_rows_follow_their_images(artifact: LoadedArtifact, images: np.ndarray) -> None:
    """Turning the batch round turns the answer round."""
    forward, backward = artifact.predict(images), artifact.predict(images[::-1].copy())

    assert forward == pytest.approx(backward[::-1], abs=TOLERANCE)
    assert len(np.unique(forward.round(6), axis=0)) == 7


def test_a_batch_answers_like_single_images(artifact: LoadedArtifact, images: np.ndarray) -> None:
    """N at once equals N times one, and the size of the batch may change between calls."""
    at_once = artifact.predict(images)
    one_by_one = np.concatenate([artifact.predict(images[i : i + 1]) for i in range(7)])

    assert at_once == pytest.approx(one_by_one, abs=TOLERANCE)


def test_an_answer_survives_the_next_one(artifact: LoadedArtifact, images: np.ndarray) -> None:
    """Answers are not views of memory that the next call writes to."""
    first = artifact.predict(images[:1])
    before = first.copy()
    artifact.predict(images[1:2])

    assert np.array_equal(before, first)


def test_threads_get_their_own_answers(artifact: LoadedArtifact, images: np.ndarray) -> None:
    """Four at once, each with pictures of its own: every answer belongs to its picture."""
    alone = [artifact.predict(images[i : i + 1]) for i in range(4)]
    together = Barrier(4)

    def ask(i: int) -> list[np.ndarray]:
        together.wait()
        return [artifact.predict(images[i : i + 1]) for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))

    for expected, given in zip(alone, answers, strict=True):
        assert np.concatenate(given) == pytest.approx(np.repeat(expected, 50, 0), abs=TOLERANCE)


def test_read_only_images_are_predicted(artifact: LoadedArtifact, images: np.ndarray) -> None:
    """Pixels that come straight from Pillow cannot be written to."""
    frozen = images[:1].copy()
    frozen.flags.writeable = False

    assert artifact.predict(frozen) == pytest.approx(artifact.predict(images[:1]), abs=TOLERANCE)


def test_answers_agree_with_the_saved_model(
    variant: str, artifact: LoadedArtifact, tiny_saved_model: Path, images: np.ndarray
) -> None:
    """The SavedModel, called as TensorFlow Serving calls it, is the reference."""
    import tensorflow as tf

    model = tf.saved_model.load(str(tiny_saved_model))
    expected = model.signatures["serving_default"](images=tf.constant(images))["probabilities"]

    tolerance = INT8_TOLERANCE if variant.endswith("int8") else TOLERANCE
    assert expected.numpy() == pytest.approx(artifact.predict(images), abs=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_an_artifact_that_cannot_be_read_is_refused(
    name: str, card: ModelCard, tmp_path: Path
) -> None:
    """The error is ours and names the version."""
    broken = tmp_path / "broken"
    broken.write_bytes(b"no model")

    with pytest.raises(ModelFormatError, match="flowers@0"):
        runtimes.find(name).load(broken, card, threads=1)


@pytest.mark.parametrize("name", ["litert", "openvino"])
def test_converting_what_is_no_saved_model_is_refused(name: str, tmp_path: Path) -> None:
    """The error is ours and names the place."""
    black = np.zeros((1, 32, 32, 3), np.uint8)
    with pytest.raises(ModelFormatError, match="cannot convert"):
        runtimes.find(name).convert(tmp_path, tmp_path / "out")
    with pytest.raises(ModelFormatError, match="cannot quantize"):
        runtimes.find(name).quantize(tmp_path, tmp_path / "out", black)


def test_threads_that_tensorflow_cannot_take_are_only_warned_about(
    tiny_saved_model: Path, card: ModelCard, caplog: pytest.LogCaptureFixture
) -> None:
    """TensorFlow makes its pools once; a worker that comes late is slower, not broken."""
    runtimes.find("tensorflow").load(tiny_saved_model, card, threads=99)

    assert [record.message for record in caplog.records] == ["threads already set"]


FIRST_TOGETHER = """
import pickle, sys, threading
import numpy as np
from pathlib import Path
from model_store import runtimes

card = pickle.loads(Path(sys.argv[3]).read_bytes())
sys.setswitchinterval(1e-5)
together = threading.Barrier(2)

def predict():
    network = runtimes.find(sys.argv[1]).load(Path(sys.argv[2]), card, threads=1)
    together.wait()
    network.predict(np.zeros((1, 32, 32, 3), np.uint8))

threads = [threading.Thread(target=predict) for _ in range(2)]
for thread in threads:
    thread.start()
"""


@pytest.mark.parametrize("choice", ["litert:float32", "openvino:float32"])
def test_two_threads_may_begin_at_once(
    artifacts: dict[str, Path], card: ModelCard, tmp_path: Path, choice: str
) -> None:
    """A feature pass does. OpenVINO hung for ever in a third of such processes: eight are tried."""
    name = choice.partition(":")[0]
    (tmp_path / "card").write_bytes(pickle.dumps(card))
    words = [name, str(artifacts[choice]), str(tmp_path / "card")]
    for _ in range(8):
        command = [sys.executable, "-c", FIRST_TOGETHER, *words]
        ended = subprocess.run(command, cwd=ROOT, timeout=60, check=False)

        assert ended.returncode == 0
