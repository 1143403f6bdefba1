"""What the tests of the one-command start share: an environment, and `petiole` run anywhere."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_end_to_end.conftest import environment_for

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(
    tmp_path: Path, colour_store: str, original_environment: dict[str, str]
) -> dict[str, str]:
    """Free ports, a state directory of its own, the tiny model, and ours found from anywhere."""
    return settings_of(tmp_path / "state", colour_store, original_environment)


def settings_of(state: Path, colour_store: str, original: dict[str, str]) -> dict[str, str]:
    """Return the environment of a service of the tiny model with its state in `state`."""
    return environment_for(state, original) | {
        "PYTHONPATH": str(ROOT),
        "PETIOLE_MODELS_STORE_URL": colour_store,
        "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
        "PETIOLE_UP_CLASSIFY_CHILDREN": "1",
        "PETIOLE_UP_START_TIMEOUT_SECONDS": "60",
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run `petiole` with further settings until it ends."""

    def run(*arguments: str, cwd: Path = ROOT, **further: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "petiole", *arguments],
            cwd=cwd,
            env=environment | further,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
