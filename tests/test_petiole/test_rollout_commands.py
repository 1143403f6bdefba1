"""`petiole models canary`, `shadow`, `end`: what they say is what they did."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from time import sleep

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from model_store import ModelStore
from model_store.rollouts import Rollout
from petiole import rollout_commands
from petiole.cli import app
from petiole.service_view import Workers
from tasks import once, stores
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tests import colour_model
from tests.conftest import ROOT, free_port
from tests.test_end_to_end.conftest import wait_until


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three versions of `colours`, the first one in production."""
    directory = tmp_path_factory.mktemp("published")
    for _ in range(3):
        colour_model.publish(directory)
    return directory


@pytest.fixture
def store(published: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """That store, which the settings name, without a trial; and no service beside it."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(published))
    store = ModelStore.open(str(published))
    if rollout := store.rollout("colours"):
        store.end_rollout("colours", rollout.number, outcome="of another test")
    return store


def models(*words: str) -> Result:
    """Run `petiole models …`."""
    return CliRunner().invoke(app, ["models", *words])


@pytest.mark.parametrize("reference", ["colours", "colours@2"])
def test_a_trial_ends_by_name_or_by_its_version(store: ModelStore, reference: str) -> None:
    """What was said has happened."""
    store.begin_rollout("colours", Rollout("canary", 2, 10.0))
    ended = models("end", reference)

    assert (ended.exit_code, ended.stdout) == (0, "the canary of colours@2 has ended\n")
    assert store.rollout("colours") is None


def test_the_trial_of_a_model_that_is_not_there_names_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands in another folder sees where was looked."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    ended = models("end", "colours")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"petiole models: no model 'colours'; there are none in {tmp_path} yet\n"
    )


def test_a_model_without_a_trial_has_none_to_end(store: ModelStore) -> None:
    """It is wrong usage."""
    ended = models("end", "colours")

    assert (ended.exit_code, ended.stderr) == (2, "petiole models: no trial runs on 'colours'\n")


@pytest.mark.parametrize("reference", ["colours@3", "colours@production"])
def test_a_version_that_is_not_on_trial_is_refused(store: ModelStore, reference: str) -> None:
    """The line says which one is, and its trial goes on."""
    store.begin_rollout("colours", Rollout("shadow", 2, 10.0))
    ended = models("end", reference)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert f"{reference} is not on trial; the shadow of colours@2 is\n" in ended.stderr
    assert store.rollout("colours") is not None


def test_a_trial_that_its_gate_ended_first_is_said(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """The gate may have promoted: whoever ended it by hand has to know."""
    rollout = store.begin_rollout("colours", Rollout("canary", 2, 10.0))
    store.end_rollout("colours", rollout.number, outcome="promoted: agreement 1.000")
    with pytest.raises(rollout_commands.typer.Exit) as exit_:
        rollout_commands._end(store, "colours", rollout)

    assert exit_.value.exit_code == 1
    said = "the canary of colours@2 was over already: promoted: agreement 1.000"
    assert said in capsys.readouterr().err


def test_an_unreachable_service_is_not_called_an_absent_worker(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial begins with the first worker, and the address that gave no answer is named."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", url)
    once.begin_anew()
    begun = models("canary", "colours@2")

    assert begun.exit_code == 0, begun.output
    assert begun.stderr.startswith("no service can be reached (")
    assert begun.stderr.splitlines()[1].startswith("  how it goes:  ")


def test_a_trial_does_not_begin_under_a_bad_setting(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that could not ask the workers has changed nothing."""
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", "127.0.0.1:6379")
    once.begin_anew()
    begun = models("canary", "colours@2")

    assert isinstance(begun.exception, ValidationError)
    assert store.rollout("colours") is None


def test_children_that_vanish_do_not_follow(store: ModelStore) -> None:
    """No child at all is not every child."""
    assert not Workers().all_follow("colours@2", name="colours", number=1)


def test_a_refused_trial_is_taken_back(store: ModelStore) -> None:
    """The reason stands in the line and in the record."""
    child = {"queue": "classify", "state": "ready", "models": [], "trials": {}}
    note = json.dumps({**child, "refused": {"colours@2": "GoldenMismatchError: red"}})
    stores.prompt_job_store().announce_ready("classify:here:1", note)
    refused = models("canary", "colours@2")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "colours@2 is refused: GoldenMismatchError: red; the trial is taken back" in (
        refused.stderr
    )
    assert store.last_rollout_outcome("colours").startswith("refused: colours@2 is refused")


@pytest.mark.server
def test_an_interrupted_trial_is_taken_back(
    store: ModelStore, published: Path, environment: dict[str, str], redis_url: str
) -> None:
    """Ctrl-C while the children load it leaves no trial that nobody knows of."""
    child = {"queue": "classify", "state": "ready", "models": [], "trials": {}, "refused": {}}
    # A child that stays, however long the command takes to start.
    told = TasksSettings(job_store_url=redis_url, ready_ttl_seconds=60)
    jobs = RedisJobStore(told, patience_seconds=0)
    jobs.announce_ready("classify:here:1", json.dumps(child))
    places = {"PETIOLE_MODELS_STORE_URL": str(published), "REDIS_URL": redis_url}
    command = [sys.executable, "-m", "petiole", "models", "canary", "colours@2"]
    # Where the suite runs in the background its children would ignore Ctrl-C.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    options = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": heard}
    process = subprocess.Popen(command, cwd=ROOT, env=environment | places, **options)
    wait_until(lambda: store.rollout("colours"))
    sleep(0.2)  # From the record to the wait for the children it is a millisecond.
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert (process.returncode, store.rollout("colours")) == (130, None)
    assert "interrupted; the trial is taken back" in said
