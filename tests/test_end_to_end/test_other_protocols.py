"""`docs/other-protocols.md` and `tritonclient`, against a started service and the real model."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from PIL import Image
from tritonclient.utils import InferenceServerException

from tests.conftest import ROOT
from tests.test_end_to_end.conftest import SAMPLE, RunningService

pytestmark = pytest.mark.end_to_end
PAGE = (ROOT / "docs" / "other-protocols.md").read_text()
EVERY = ("probabilities", "label", "verdict")


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[triton.InferenceServerClient]:
    """Triton's own client of the service."""
    with triton.InferenceServerClient(service.api.removeprefix("http://")) as client:
        yield client


def blocks(kind: str) -> list[str]:
    """Return the blocks of code on the page."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def run(command: list[str], service: RunningService) -> str:
    """Return what a program prints whose address of the service is the page's."""
    address = service.api.removeprefix("http://")
    words = [word.replace("127.0.0.1:8000", address) for word in command]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def of_files(*files: bytes, is_binary: bool = True) -> triton.InferInput:
    """Return the input that files are."""
    tensor = triton.InferInput("image", [len(files)], "BYTES")
    tensor.set_data_from_numpy(np.array(files, dtype=object), binary_data=is_binary)
    return tensor


def of_array(array: np.ndarray, datatype: str) -> triton.InferInput:
    """Return the input that an array is."""
    tensor = triton.InferInput("image", list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def test_the_page_classifies_with_tritonclient(service: RunningService) -> None:
    """It prints the line that stands there, but for the last digits."""
    (program,) = blocks("python")
    printed = run([sys.executable, "-c", program], service).strip()
    shown = re.search(r"# (\S+)$", program, re.MULTILINE)[1]

    (found, *rest), (expected, *others) = printed.split(":"), shown.split(":")
    assert rest == others == ["967", "espresso"]
    assert float(found) == pytest.approx(float(expected), abs=0.01)


def test_the_pages_commands_work(service: RunningService) -> None:
    """Each prints JSON without an error."""
    commands = "".join(blocks("sh")).replace(" \\\n", " ")
    lines = [line for line in re.split(r"\n(?=echo|curl)", commands.strip()) if line]
    answers = [json.loads(run(["bash", "-c", line], service)) for line in lines]

    assert [next(iter(each)) for each in answers] == [
        *("model_name", "predictions", "results", "model_version_status", "model_spec"),
    ]
    assert answers[0]["outputs"][0]["data"] == ["espresso"]
    assert answers[1]["predictions"][0][967] > 0.9
    assert answers[2]["results"][0][0][0] == "espresso"


@pytest.fixture(scope="module")
def saucer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second picture: a corner of the sample, as a PNG."""
    path = tmp_path_factory.mktemp("pictures") / "saucer.png"
    with Image.open(SAMPLE) as image:
        image.convert("RGB").crop((0, 100, 300, 400)).save(path)
    return path


def test_every_answer_is_that_of_classify(
    client: triton.InferenceServerClient, service: RunningService, saucer: Path
) -> None:
    """The same probabilities, in class order, for two pictures at once."""
    files = (SAMPLE, saucer)
    answer = client.infer("imagenet", [of_files(*(each.read_bytes() for each in files))])
    rows, labels = (answer.as_numpy(name) for name in ("probabilities", "label"))
    ours = [service.classify(each, wait=30).json()["predictions"][0] for each in files]

    assert rows.shape == (2, 1000)
    assert rows.sum(axis=1) == pytest.approx([1, 1], abs=1e-3)
    assert [label.decode() for label in labels] == [each["label"] for each in ours]
    assert [row.argmax() for row in rows] == [each["class_index"] for each in ours]
    assert [row.max() for row in rows] == pytest.approx([each["probability"] for each in ours])


def test_pixels_answer_as_the_file_that_they_are_of(
    client: triton.InferenceServerClient, saucer: Path
) -> None:
    """Those of a PNG, to the last bit."""
    with Image.open(saucer) as image:
        pixels = np.asarray(image.convert("RGB"))
    file = client.infer("imagenet", [of_files(saucer.read_bytes())])
    array = client.infer("imagenet", [of_array(pixels[None], "UINT8")])

    names = ("probabilities", "label")
    assert all((file.as_numpy(name) == array.as_numpy(name)).all() for name in names)


def test_normalised_pixels_answer_as_the_picture(
    client: triton.InferenceServerClient, service: RunningService
) -> None:
    """Who does the preprocessing as the card says it gets the same probabilities."""
    from model_store import preprocessing
    from model_store.card import PreprocessingSpec

    said = service.get("/models/imagenet/1").json()["preprocessing"]
    channels = {name: tuple(said[name]) for name in ("mean", "scale")}
    spec = PreprocessingSpec(**said | channels)
    pixels = preprocessing.prepare(SAMPLE.read_bytes(), spec)[None]
    floats = ((pixels - np.array(spec.mean)) / np.array(spec.scale)).astype(np.float32)
    inputs = (of_files(SAMPLE.read_bytes()), of_array(floats, "FP32"))
    file, array = (client.infer("imagenet", [each]).as_numpy("probabilities") for each in inputs)

    assert (file == array).all()


def test_the_client_finds_its_way(client: triton.InferenceServerClient) -> None:
    """Metadata, readiness, index; and what is wrong is told in the service's words."""
    described = client.get_model_metadata("imagenet", "1")

    assert client.is_server_live()
    assert not client.is_model_ready("roses")
    assert client.get_server_metadata()["name"] == "petiole"
    assert [each["name"] for each in described["outputs"]] == list(EVERY)
    assert {"name": "imagenet", "version": "1", "state": "READY", "reason": ""} in (
        client.get_model_repository_index()
    )
    with pytest.raises(InferenceServerException, match=r"^\[415\] picture 1: .* not a picture"):
        client.infer("imagenet", [of_files(b"no picture")])
