"""`petiole models judge`: carries out the verdicts of gates where the workers may not."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from model_store import ModelStore
from model_store.rollouts import Gate, Rollout
from petiole.cli import app
from tasks import statistics, stores
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tests import colour_model
from tests.conftest import ROOT, free_port
from tests.test_end_to_end.conftest import wait_until
from tests.test_petiole.conftest import Run

GATE = Gate(agreement=0.97, comparisons=10)
Watch = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """A store with two versions of `colours`, and a job store in memory with no figures."""
    for _ in range(2):
        colour_model.publish(tmp_path)
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    return ModelStore.open(str(tmp_path))


def figures(rollout: Rollout) -> dict[str, float]:
    """Return what workers count when both versions always agree, until a verdict is due."""
    amounts = {"compared": 10.0, "agreed": 10.0}
    return {statistics.trial("colours", rollout, what): n for what, n in amounts.items()}


def models(*words: str) -> Result:
    """Run `petiole models …`."""
    return CliRunner().invoke(app, ["models", *words])


def test_a_verdict_that_is_due_is_carried_out_and_said(store: ModelStore) -> None:
    """Until then `show` says that it waits, and for whom."""
    rollout = store.begin_rollout("colours", Rollout("shadow", 2, 10.0, GATE))
    early = models("judge")
    stores.job_store().count(figures(rollout))
    shown, ended = models("show", "colours"), models("judge")

    assert (early.exit_code, early.stdout) == (0, "no verdict is due\n")
    assert "petiole models list\n" in early.stderr
    assert "carries it out after its next comparison; where none may, `petiole models judge`" in (
        shown.stdout
    )
    assert (ended.exit_code, "petiole models show colours\n" in ended.stderr) == (0, True)
    assert ended.stdout.startswith("colours: promoted: agreement 1.000 on 10 pictures")
    assert store.resolve("colours") == ("colours", 2)


def test_without_its_figures_it_fails_in_one_line(run: Run) -> None:
    """So that the health check of its container says what is missing."""
    ended = run("models", "judge", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("petiole models: the job store")
    assert ended.stderr.count("\n") == 1


def test_it_needs_no_numpy(environment: dict[str, str]) -> None:
    """It runs from the small image, which has neither NumPy nor a runtime."""
    code = (
        "import sys\nfrom petiole import models_command, service_view\nfrom tasks import trials\n"
        "trials.of_this_process()\nprint({'numpy', 'openvino', 'tensorflow'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert ended.stdout == "set()\n"


@pytest.fixture
def watch(environment: dict[str, str], store: ModelStore, tmp_path: Path) -> Iterator[Watch]:
    """Begin `petiole models judge --watch` beside a Redis; ended after the test."""
    begun: list[subprocess.Popen[str]] = []

    def watch(redis_url: str) -> subprocess.Popen[str]:
        places = {"PETIOLE_MODELS_STORE_URL": str(tmp_path), "REDIS_URL": redis_url}
        command = [sys.executable, "-u", "-m", "petiole", "models", "judge", "--watch"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        begun.append(subprocess.Popen(command, cwd=ROOT, env=environment | places, **pipes))
        return begun[0]

    yield watch
    for process in begun:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.server
def test_it_goes_on_and_judges_what_becomes_due(
    watch: Watch, store: ModelStore, redis_url: str
) -> None:
    """As the service `judge` of Compose does."""
    rollout = store.begin_rollout("colours", Rollout("canary", 2, 10.0, GATE))
    process = watch(redis_url)
    jobs = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=0)
    jobs.count(figures(rollout))

    assert process.stdout.readline().startswith("colours: promoted: agreement 1.000")
    assert wait_until(lambda: store.resolve("colours") == ("colours", 2), seconds=5)
    assert process.poll() is None


def test_it_waits_for_a_store_that_is_away(watch: Watch) -> None:
    """One line says so, and it goes on."""
    process = watch(f"redis://127.0.0.1:{free_port()}/0")

    assert process.stderr.readline().endswith("; trying again\n")
    assert process.poll() is None
