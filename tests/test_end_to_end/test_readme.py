"""The README's commands are run as they stand there, against a started service."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.conftest import ROOT, free_port
from tests.test_end_to_end.conftest import RunningService, wait_until

pytestmark = pytest.mark.end_to_end
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition(" #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
CURLS = [command for command in COMMANDS if command.startswith("curl ")]
OLD_TASK_ID = "552b2b3b-dbda-40ba-a7a0-ac265ac6b37d"
NEEDS_INTERNET = "example.org"


def run(command: str, service: RunningService) -> subprocess.CompletedProcess[str]:
    """Run one command of the README against the started service."""
    environment = {**service.environment, "REDIS_URL": service.redis_url}
    words = shlex.split(command.replace("http://127.0.0.1:8000", service.api))
    words[0] = words[0].replace(".venv/bin/", str(Path(sys.executable).parent) + "/")
    return subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )


def shape(value: object) -> object:
    """Return a JSON value without what differs between runs and machines."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in {"task_id", "runtime"}}
        return {key: shape(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return value if isinstance(value, str) else type(value)


def test_the_first_answer_is_the_one_shown(service: RunningService) -> None:
    """Same keys in the same order, same labels; only numbers and ids differ."""
    shown = json.loads(re.search(r"```json\n(.*?)```", README, re.DOTALL)[1])
    answer = json.loads(run(CURLS[0], service).stdout)

    assert shape(answer) == shape(shown)
    assert list(answer) == list(shown)


@pytest.mark.parametrize("command", [c for c in CURLS if NEEDS_INTERNET not in c])
def test_every_curl_line_works(service: RunningService, command: str) -> None:
    """No error, and no problem document."""
    task_id = service.classify().json()["task_id"]
    answer = json.loads(run(command.replace(OLD_TASK_ID, task_id), service).stdout)

    assert "detail" not in answer


@pytest.mark.parametrize("command", [c for c in CURLS if NEEDS_INTERNET in c])
def test_what_needs_the_internet_is_at_least_understood(
    service: RunningService, command: str
) -> None:
    """The path is right even where the address cannot be reached; a test sends nothing out."""
    unreachable = f"http://127.0.0.1:{free_port()}/cat.jpg"
    answer = json.loads(
        run(command.replace("https://example.org/cat.jpg", unreachable), service).stdout
    )

    assert answer.get("state") == "PENDING" or answer["type"] == "/problems#download-unreachable"


def test_the_command_line_finds_the_service(service: RunningService) -> None:
    """By the note in its state directory."""
    (command,) = [c for c in COMMANDS if "petiole classify" in c]

    assert run(command, service).stdout.splitlines()[0].split()[-1] == "espresso"


def test_a_second_worker_adds_its_children(service: RunningService) -> None:
    """Celery's own command, on another terminal, with no change to anything."""
    (command,) = [c for c in COMMANDS if "worker -Q classify" in c]
    environment = {
        **service.environment,
        "REDIS_URL": service.redis_url,
        "PETIOLE_TASKS_IMAGE_STORE_URL": str(service.state / "uploads"),
    }
    words = [sys.executable, "-m", *shlex.split(command.removeprefix(".venv/bin/"))]
    second = subprocess.Popen(words, cwd=ROOT, env=environment)
    try:
        wait_until(lambda: len(service.get("/readyz").json()["children"]) >= 4)
        states = [service.classify(wait=30).json()["state"] for _ in range(8)]
    finally:
        second.terminate()
        second.wait(timeout=40)

    assert states == ["SUCCESS"] * 8


@pytest.mark.parametrize("words", ["inspect ping", "status"])
def test_celerys_commands_find_the_workers(service: RunningService, words: str) -> None:
    """From the repository root, as the README says."""
    (command,) = [c for c in COMMANDS if c.endswith(words)]

    assert "classify@" in run(command, service).stdout


def test_flasks_own_server_runs_the_api(service: RunningService) -> None:
    """`flask --app api run`, beside the started one."""
    (command,) = [c for c in COMMANDS if "flask --app api" in c]
    port = free_port()
    environment = {**service.environment, "REDIS_URL": service.redis_url}
    words = shlex.split(command.removeprefix(".venv/bin/").replace("8001", str(port)))
    server = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=environment)
    try:
        ready = wait_until(lambda: _get(f"http://127.0.0.1:{port}/readyz"))
    finally:
        server.terminate()
        server.wait(timeout=20)

    assert ready.json()["status"] == "ready"


def _get(url: str) -> requests.Response | None:
    try:
        return requests.get(url, timeout=10)
    except requests.ConnectionError:
        return None


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    """At most 120 lines; every linked file exists; every make target too."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]

    assert len(README.splitlines()) <= 120
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) <= set(targets)
