"""Who may look into Flower where nobody said who: whoever reads a file of this service."""

from collections.abc import Mapping
from pathlib import Path

from petiole import kept_secrets

NAME = "petiole"
SETTING = "FLOWER_BASIC_AUTH"
OWN = (SETTING, "FLOWER_AUTH", "FLOWER_UNAUTHENTICATED_API")
"""Each says who may, be it everybody."""


def file_of(state_directory: Path) -> Path:
    """Return the file with the password that was made for Flower."""
    return state_directory / "flower-password"


def made(state_directory: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return a login for Flower, the same at every start, or nothing where the user has one.

    Raises:
        OSError: the password cannot be written to the state directory, or read from it.
    """
    if any(environment.get(name) for name in OWN):
        return {}
    return {SETTING: f"{NAME}:{kept_secrets.kept(file_of(state_directory))}"}
