"""The Dockerfile, without a container engine."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def stages(root: Path) -> dict[str, str]:
    """Return the instructions of each stage of the Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (root / "Dockerfile").read_text())
    found = re.split(r"^FROM \S+ AS (\w[\w-]*)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_the_dockerfile_passes_its_linter(root: Path) -> None:
    """Hadolint has nothing to say, not even as an advice."""
    tool = Path(sys.executable).with_name("hadolint")
    command = [str(tool), "--no-color", str(root / "Dockerfile")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("target", ["api", "worker"])
def test_an_image_holds_the_packages_of_its_lock(stages: dict[str, str], target: str) -> None:
    """Each image gets its own lock's packages, every one compared with its hash."""
    assert f"COPY --from={target}-packages /opt/venv /opt/venv" in stages[target]
    assert f"COPY requirements/{target}.lock" in stages[f"{target}-packages"]


@pytest.mark.parametrize("target", ["api", "worker"])
@pytest.mark.parametrize(("traces", "more"), [("false", []), ("true", ["/traces.lock"])])
def test_an_image_is_built_with_traces_where_that_is_asked_for(
    stages: dict[str, str], tmp_path: Path, target: str, traces: str, more: list[str]
) -> None:
    """What the stage runs, with programs that only note how they are called."""
    noted = tmp_path / "noted"
    for name in ("python", "pip", "rm"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {noted}\n')
        program.chmod(0o755)
    (command,) = re.findall(r"^RUN (.+)$", stages[f"{target}-packages"], re.MULTILINE)
    environment = {"PATH": str(tmp_path), "TRACES": traces}
    subprocess.run(["/bin/sh", "-ec", command], env=environment, check=True)
    installs = [line for line in noted.read_text().splitlines() if line.startswith("pip ")]

    assert re.findall(r"^ARG (\S+)$", stages[f"{target}-packages"], re.MULTILINE) == [
        "TRACES=false"
    ]
    assert [line.split()[-1] for line in installs] == [f"/{target}.lock", *more]
    assert all("--require-hashes" in line.split() for line in installs)


@pytest.mark.parametrize("target", ["api", "worker"])
def test_an_image_runs_the_command_of_its_service(
    stages: dict[str, str], services: dict[str, dict[str, Any]], target: str
) -> None:
    """`docker run` does what Compose does."""
    found = re.search(r"^CMD (.+)$", stages[target], re.MULTILINE)

    assert found is not None
    assert services[target]["command"] == json.loads(found[1])


@pytest.mark.parametrize("target", ["api", "worker"])
def test_an_image_runs_as_the_user_of_its_service(
    stages: dict[str, str], services: dict[str, dict[str, Any]], target: str
) -> None:
    """No image runs as root, and its volumes belong to the user that runs."""
    assert [services[target]["user"]] == re.findall(r"^USER (\S+)$", stages[target], re.MULTILINE)
    assert f"useradd --uid {services[target]['user']} " in stages["runtime"]


def test_the_images_hold_every_room(stages: dict[str, str], root: Path) -> None:
    """What the project's wheel consists of is copied, and let through by `.dockerignore`."""
    ignore = (root / ".dockerignore").read_text().split()
    copied = re.findall(r"^COPY (\w+) \1$", stages["source"], re.MULTILINE)
    contracts = (root / "pyproject.toml").read_text()
    rooms = re.search(r"^packages = (\[.+\])$", contracts, re.MULTILINE)

    assert rooms is not None
    assert json.loads(rooms[1]) == copied
    assert {f"!{room}" for room in copied} <= set(ignore)


def test_images_are_built_and_never_pulled(compose_text: str) -> None:
    """A stranger's image of the same name is not run by mistake."""
    compose = yaml.safe_load(compose_text)
    own = [s for s in compose["services"].values() if s["image"].startswith("petiole")]

    assert [service["pull_policy"] for service in own] == ["build"] * 9
