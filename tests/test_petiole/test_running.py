"""One service for each state directory, and every command finds it without being told."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from petiole import running
from petiole.probes import Readiness
from petiole.running import ServiceNote
from tests.conftest import free_port
from tests.test_end_to_end.conftest import RunningService, wait_until
from tests.test_petiole.conftest import Run, settings_of
from tests.test_petiole.test_up import launch

NOTE = ServiceNote(
    process=os.getpid(),
    began=running.began(os.getpid()),
    started_at="2026-11-26T01:00:00+00:00",
    api_url="http://127.0.0.1:8123",
    flower_url="http://127.0.0.1:5678",
    broker_url="redis://127.0.0.1:6391/0",
    result_backend="redis://127.0.0.1:6391/0",
    job_store_url="redis://127.0.0.1:6391/0",
    image_store_url="/somewhere/uploads",
    model_store_url="/somewhere/models",
    processes={"redis": 1},
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory of the folder that the test stands in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    return tmp_path / "var"


def test_a_command_finds_the_service_from_a_folder_below(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git finds its repository."""
    running.write(state, NOTE)
    below = state.parent / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert running.find() == NOTE


def test_the_note_is_for_its_owner_only(state: Path) -> None:
    """A broker's address may have a password."""
    running.write(state, NOTE)

    assert (state / "service.json").stat().st_mode & 0o777 == 0o600
    assert [state / "service.json"] == list(state.iterdir())


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(asdict(replace(NOTE, process=2**22 + 1))),
        json.dumps(asdict(replace(NOTE, began="1"))),
        "{",
        "{}",
        "[]",
    ],
    ids=["process gone", "another process", "torn", "another version", "no document"],
)
def test_a_note_of_no_running_service_is_ignored(state: Path, written: str) -> None:
    """The service was killed, or it is not known how to read what it left."""
    (state / "service.json").write_text(written)

    assert running.find() is None


def test_the_environment_wins_over_the_note(state: Path) -> None:
    """Whoever names a broker has said where the service is; the rest is filled in."""
    running.write(state, NOTE)
    environment = {"REDIS_URL": "redis://elsewhere/0", "PETIOLE_MODELS_STORE_URL": "mine"}
    running.adopt(environment)

    assert environment == {
        "REDIS_URL": "redis://elsewhere/0",
        "PETIOLE_MODELS_STORE_URL": "mine",
        "PETIOLE_TASKS_IMAGE_STORE_URL": "/somewhere/uploads",
        "PETIOLE_API_HOST": "127.0.0.1",
        "PETIOLE_API_PORT": "8123",
    }


def test_a_second_service_in_one_directory_is_refused(
    run: Run, environment: dict[str, str]
) -> None:
    """Whatever its ports are, and also while the first one still starts."""
    state = Path(environment["PETIOLE_UP_STATE_DIRECTORY"])
    with running.locked(state, "http://127.0.0.1:8123"):
        ended = run("up")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"petiole: already running in {state}: process {os.getpid()}, http://127.0.0.1:8123\n"
    )


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service on ports of its own, whose state is in `var` of its folder."""
    folder = tmp_path_factory.mktemp("running") / "folder"
    environment = settings_of(folder / "var", colour_store, original_environment)
    started = launch(environment, folder)
    wait_until(lambda: "ready after" in started.log.read_text() or started.process.poll())
    yield started
    assert started.stop() == 0, started.log.read_text()[-3000:]
    assert not (folder / "var" / "service.json").exists()


def beside(service: RunningService, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `petiole` in the folder of a service, told nothing of its ports."""
    hidden = ("_PORT", "STATE_DIRECTORY", "STORE_URL")
    environment = {n: v for n, v in service.environment.items() if not n.endswith(hidden)}
    return subprocess.run(
        [sys.executable, "-m", "petiole", *arguments],
        cwd=service.log.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.end_to_end
def test_the_note_says_where_everything_is(service: RunningService) -> None:
    """Addresses and processes; a part that was restarted is noted anew."""
    document = json.loads((service.state / "service.json").read_text())
    service.part("flower").kill()
    wait_until(lambda: "flower started again" in service.log.read_text())

    assert (service.process.pid, service.api) == (document["process"], document["api_url"])
    assert service.redis_url == document["broker_url"] == document["job_store_url"]
    assert document["processes"]["worker"] == service.part("worker").pid
    assert wait_until(lambda: _noted(service, "flower") == service.part("flower").pid)


def _noted(service: RunningService, part: str) -> int:
    return int(json.loads((service.state / "service.json").read_text())["processes"][part])


@pytest.mark.end_to_end
def test_commands_reach_the_service_in_whose_folder_they_run(service: RunningService) -> None:
    """With ports that are not the default ones, and without a word about them."""
    ended = beside(service, "models", "show", "colours")

    assert ended.returncode == 0, ended.stderr
    assert "1 of 1 children have colours@1" in ended.stdout


@pytest.mark.end_to_end
def test_a_second_service_hurts_the_first_one_in_nothing(service: RunningService, run: Run) -> None:
    """It ends at once, with where the first one is; metrics and Redis' file stay."""
    before = service.get("/metrics").text.count("petiole_http_requests_total{")
    ports = {"PETIOLE_API_PORT": str(free_port()), "PETIOLE_UP_REDIS_PORT": str(free_port())}
    ended = run("up", PETIOLE_UP_STATE_DIRECTORY=str(service.state), **ports)

    assert ended.returncode == 1
    assert ended.stderr.endswith(f": process {service.process.pid}, {service.api}\n")
    assert service.get("/metrics").text.count("petiole_http_requests_total{") >= before


def test_a_child_that_has_no_model_yet_is_counted_as_none() -> None:
    """Its note names no models; the others' are told."""
    children = ({"state": "not ready"}, {"state": "ready", "models": ["imagenet@1 on openvino"]})
    found = Readiness("", children=children)

    assert (found.ready_children, found.models) == (1, ["imagenet@1 on openvino"])
