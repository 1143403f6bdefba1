"""`petiole doctor` and `petiole status` where no service runs: what is wrong, and what to do."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port
from tests.test_petiole.conftest import Run


def findings(run: Run, **settings: str) -> dict[str, dict[str, Any]]:
    """Return what is wrong by check; that something is wrong is exit code 1."""
    ended = run("doctor", "--json", **settings)
    document = json.loads(ended.stdout)
    wrong = {each["check"]: each for each in document["findings"] if each["level"] == "error"}

    assert (ended.returncode, document["well"]) == (1 if wrong else 0, not wrong)
    assert all(each["to_do"] for each in wrong.values())
    return wrong


def test_nothing_is_wrong_where_a_service_could_start(run: Run) -> None:
    """No service runs, and none is needed."""
    assert findings(run) == {}


def test_what_is_wrong_is_found_in_one_go(
    run: Run, environment: dict[str, str], colour_store: str, tmp_path: Path
) -> None:
    """A damaged model, a taken port, a Redis that is away, a trap for forks."""
    damaged = Path(shutil.copytree(colour_store, tmp_path / "damaged"))
    for artifact in damaged.rglob("model.bin"):
        artifact.write_bytes(artifact.read_bytes() + b"\x00")
    (tmp_path / "sitecustomize.py").write_text("import numpy\n")
    (tmp_path / "file").touch()
    port = int(environment["PETIOLE_API_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        found = findings(
            run,
            PETIOLE_MODELS_STORE_URL=str(damaged),
            REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
            PYTHONPATH=f"{tmp_path}:{environment['PYTHONPATH']}",
            PETIOLE_UP_STATE_DIRECTORY=str(tmp_path / "file" / "state"),
        )

    assert sorted(found) == ["Redis", "forking", "models", "ports", "state"]
    assert f"port {port} for api is taken" in found["ports"]["says"]
    assert "colours@1" in found["models"]["says"]
    assert "numpy in memory" in found["forking"]["says"]


def test_a_setting_that_is_refused_is_a_finding(run: Run) -> None:
    """Not an end before anything is looked at."""
    found = findings(run, PETIOLE_TASKS_MAX_PIXELS="many", CELERY_BROKER_URL="http://x")

    assert list(found) == ["settings"]
    assert found["settings"]["says"].startswith("CELERY_BROKER_URL is 'http://x'")


def test_status_without_a_service_says_how_to_start_one(run: Run, tmp_path: Path) -> None:
    """Exit code 1, for people and for programs."""
    for_people = run("status", cwd=tmp_path)
    for_programs = run("status", "--json", cwd=tmp_path)

    assert (for_people.returncode, for_programs.returncode) == (1, 1)
    assert for_people.stdout.startswith("not running  ")
    assert "-m petiole up\n" in for_people.stderr
    assert json.loads(for_programs.stdout)["running"] is False


@pytest.mark.parametrize("words", [["open"], ["logs", "worker"]], ids=" ".join)
def test_commands_that_need_a_service_say_how_to_start_one(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    """One line what is missing, and one with the next step."""
    ended = run(*words, cwd=tmp_path)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 2
    assert ended.stderr.endswith("-m petiole up\n")
