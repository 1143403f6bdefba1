"""`petiole train --enqueue`: what is recorded and sent, and what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from petiole import enqueue_command
from petiole.cli import app
from tasks import stores
from tests.conftest import ROOT, free_port
from training.settings import TrainingSettings, name_of


def train(*flags: str) -> Result:
    """Run the command with `--enqueue`."""
    return CliRunner().invoke(app, ["train", "--image_dir", "photos/Roses", *flags, "--enqueue"])


def test_a_training_is_recorded_before_a_worker_takes_it() -> None:
    """The printed id is known at once, and what it will make is on record."""
    ended = train()
    (job,) = stores.job_store()._jobs.values()

    assert ended.exit_code == 0, ended.output
    assert f"Queued {job.task_id};" in ended.stdout
    assert f"curl -X DELETE http://127.0.0.1:8000/result/{job.task_id}" in ended.stdout
    assert (job.kind, job.state, job.model, job.filename) == (
        *("training", "PENDING"),
        *("roses", "Roses"),
    )


def test_handing_a_training_over_imports_nothing_heavy() -> None:
    """It needs the model's name and the broker; SciPy alone took three seconds."""
    program = "import petiole.enqueue_command, sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True).split()

    assert not {"numpy", "scipy", "tensorflow", "keras"} & set(loaded)
    assert "training.settings" in loaded


def test_the_worker_is_told_what_was_said_and_no_more() -> None:
    """Places are absolute; what was left out is the worker's own default."""
    settings = TrainingSettings(image_dir=Path("photos"), foreign=Path("others"), seed=7)

    assert enqueue_command.document(settings, name="roses") == {
        "image_dir": str(Path("photos").absolute()),
        "foreign": str(Path("others").absolute()),
        "name": "roses",
        "seed": 7,
    }


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (("--check",), "check is answered here and now; leave out enqueue"),
        (("--cross_validate", "5"), "cross_validate is answered here and now"),
        (("--output_graph", "o.pb"), "output_graph is the training worker's to say"),
        (("--name", "No Name"), "name is 'No Name'; give --name"),
    ],
)
def test_what_a_worker_cannot_do_is_refused(flag: tuple[str, ...], message: str) -> None:
    """In one line, as wrong usage; nothing is recorded."""
    ended = train(*flag)

    assert (ended.exit_code, stores.job_store()._jobs) == (2, {})
    assert message in ended.stderr


def test_without_a_broker_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what is missing."""
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    ended = train()

    assert (ended.exit_code, stores.job_store()._jobs) == (1, {})
    assert "petiole status` says whether the service runs" in ended.stderr


def test_an_address_is_handed_on_as_it_is() -> None:
    """A bucket is in the same place for every machine."""
    settings = TrainingSettings(image_dir="s3://photos/Flowers")

    assert enqueue_command.document(settings, name=name_of(settings)) == {
        "image_dir": "s3://photos/Flowers",
        "name": "flowers",
    }


def test_a_model_is_named_after_its_archive() -> None:
    """Without any of its endings."""
    assert name_of(TrainingSettings(image_dir="photos/Roses.tar.gz")) == "roses"
