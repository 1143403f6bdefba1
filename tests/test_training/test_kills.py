"""A kill -9 in the middle of each phase, then the same command: it ends with the same model."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_store import ModelStore
from tests.test_training.conftest import ROOT, DrawnRun, FinishedRun, constants, frozen_constants

KILLED = """
import os, signal, sys
from model_store import ModelStore
from training import flags, run
from training.journal import Journal

phase, what, place, url = sys.argv[1:5]
now = ""

def kill_at(event, values):
    if (now, event) == (phase, what) and place in str(values[0]):
        os.kill(os.getpid(), signal.SIGKILL)

class Follower:
    def event(self, name, fields):
        global now
        now = fields.get("phase", now)
        kill_at(name, [""])

# The interpreter calls it before each import, opened file, renamed file and the like.
sys.addaudithook(kill_at)
settings = flags.parse(sys.argv[5:], program="petiole train").settings
run.train(settings, ModelStore.open(url), Journal(Follower()))
"""

# A phase, and what it is about to do, to which place, when the process dies.
LOOKING = [
    ("Checking the pictures", "os.rename", "fingerprints"),
    ("Loading TensorFlow and the backbone", "import", "tensorflow.python"),
    ("Preparing the backbone", "os.rename", "partial-"),
    ("Computing features", "os.rename", "features"),
]
LEARNING = [
    ("Training the head", "phase finished", ""),
    ("Evaluating", "phase finished", ""),
    ("Publishing", "open", "fingerprint.pb"),
]
WRITING = [
    ("Writing the report", "os.rename", "report.html"),
    ("Writing the files", "os.rename", "graph.pb"),
    ("Writing the files", "os.rename", ".partial/fingerprint.pb"),
    ("Writing the files", "os.rename", ".partial/saved_model.pb"),
]


def _killed(run: DrawnRun, moment: tuple[str, str, str]) -> int:
    """Start the run, and return how it ended when it was killed there."""
    command = [sys.executable, "-c", KILLED, *moment, run.store_url, *run.flags, *run.files]
    return subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL, check=False).returncode


def _left(run: DrawnRun) -> dict[str, Any]:
    """Return everything of a run's results that does not depend on when and where it ran."""
    store = ModelStore.open(run.store_url)
    cards = [store.card("drawn", version) for version in store.versions("drawn")]
    published = [store.verify(card) / "saved_model.pb" for card in cards]
    folder = run.root / "saved_model"
    return {
        "labels": [card.labels for card in cards],
        "metrics": [card.metrics for card in cards],
        "variants": [[(v.runtime, v.path, v.serves) for v in card.variants] for card in cards],
        "files": [sorted(card.files) for card in cards],
        "weights": [constants(path) for path in [*published, folder / "saved_model.pb"]],
        "graph": frozen_constants(run.root / "graph.pb"),
        "folder": sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")),
        "labels file": (run.root / "labels.txt").read_text("utf-8"),
    }


@pytest.mark.parametrize(
    "moments", [LOOKING, LEARNING, WRITING], ids=["looking", "learning", "writing"]
)
def test_a_killed_run_ends_with_the_same_model(
    tmp_path: Path, hub_folder: Path, finished_run: FinishedRun, moments: list[tuple[str, str, str]]
) -> None:
    """One whole version and whole files, after a kill at each of these moments in turn."""
    run = DrawnRun(tmp_path, hub_folder)
    ends = [_killed(run, moment) for moment in moments]

    code = run.train_here(*run.files)

    assert (ends, code) == ([-signal.SIGKILL] * len(moments), 0)
    assert _left(run) == _left(finished_run)
