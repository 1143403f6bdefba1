"""Pictures with known answers: the network agrees with the hand calculation."""

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chaos import counted, executions
from chaos.colours import MODEL
from chaos.pictures import LABELS, Harm, drawn, expected, fingerprint, harm_of
from model_store import ModelStore, preprocessing, runtimes
from tests.conftest import ROOT


def test_the_network_answers_what_was_computed_by_hand(colour_store: str) -> None:
    """Through the preprocessing and OpenVINO, as in a worker; also the pixels arrive unchanged."""
    store = ModelStore.open(colour_store)
    card = store.card("colours", 1)
    artifact = runtimes.find("openvino").load(store.fetch("colours", 1) / MODEL, card, threads=1)
    picture = drawn(np.random.default_rng(1))
    pixels = preprocessing.prepare(picture.upload, card.preprocessing)
    answer = artifact.predict(pixels[None])[0]

    assert picture.fingerprint == fingerprint(pixels)
    assert picture.label == LABELS[int(answer.argmax())]
    assert picture.probability == pytest.approx(answer.max(), abs=1e-5)


def test_a_seed_draws_the_same_pictures_and_no_two_alike() -> None:
    """A run can be repeated, and every answer is one picture's alone."""
    once, again = (np.random.default_rng(7) for _ in range(2))
    first = [drawn(once) for _ in range(50)]

    assert [drawn(again) for _ in range(50)] == first
    assert len({picture.fingerprint for picture in first}) == len(first)


@pytest.mark.parametrize("harm", Harm)
def test_a_harmful_picture_is_known_by_its_pixels(harm: Harm) -> None:
    """The mark survives the file format; what is not marked is harmless."""
    picture = drawn(np.random.default_rng(2), harm)
    pixels = np.asarray(Image.open(BytesIO(picture.upload)))

    assert harm == harm_of(pixels)
    assert (picture.label == "") == (harm is not Harm.NONE)


def test_a_picture_that_crashes_never_finishes(tmp_path: Path) -> None:
    """Also where a thread works on it, as in the service of a peer: nobody gets its answer."""
    program = """
from threading import Thread
import numpy as np
from chaos import executions
image = np.zeros((8, 8, 3), np.uint8)
image[0, 0] = (13, 37, 1)
thread = Thread(target=lambda: print("finished", executions.work(image), flush=True))
thread.start()
thread.join()
"""
    environment = {**os.environ, executions.EXECUTIONS: str(tmp_path / "executions")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (-signal.SIGSEGV, b"")
    assert executions.counted(tmp_path / "executions").total() == 1


def test_executions_are_counted_by_picture(
    colour_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime of the harness writes a line before it predicts, and predicts as OpenVINO."""
    monkeypatch.setenv(executions.EXECUTIONS, str(tmp_path / "executions"))
    store = ModelStore.open(colour_store)
    card = store.card("colours", 1)
    path = store.fetch("colours", 1) / MODEL
    artifact = counted.CountedRuntime().load(path, card, threads=1)
    pixels = np.full((8, 8, 3), (200, 10, 10), np.uint8)
    answers = [artifact.predict(pixels[None])[0] for _ in range(2)]

    assert {fingerprint(pixels): 2} == executions.counted(tmp_path / "executions")
    assert answers[0] == pytest.approx(expected(pixels), abs=1e-5)
