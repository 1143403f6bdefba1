"""Who may look into Flower where nobody said who: whoever reads a file of this service."""

import os
from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe

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
    return {SETTING: f"{NAME}:{_password(file_of(state_directory))}"}


def _password(file: Path) -> str:
    """Return what is in the file, which only its owner may read; made when there is nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as kept:
        password = kept.read().strip()
        if not password:
            password = token_urlsafe(18)
            kept.write(f"{password}\n")
    return password
