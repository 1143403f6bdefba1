"""What the tests of the operator's files share: the repository and the parsed Compose file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository's directory."""
    return ROOT


@pytest.fixture(scope="session")
def compose_text() -> str:
    """Return `docker-compose.yml` as it is written."""
    return (ROOT / "docker-compose.yml").read_text()


@pytest.fixture(scope="session")
def services(compose_text: str) -> dict[str, dict[str, Any]]:
    """Return the services of `docker-compose.yml`, anchors resolved."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(compose_text)["services"]
    return found
