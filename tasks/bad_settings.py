"""What is said of settings that cannot be: one line, with each one's name and without passwords.

Every program that reads settings says it alike and ends, before it has started anything.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

WRONG_USAGE = 2
PREFIXES = {
    "ApiSettings": "PETIOLE_API_",
    "TasksSettings": "PETIOLE_TASKS_",
    "ModelSettings": "PETIOLE_MODELS_",
    "TrainingPlaces": "PETIOLE_TRAINING_",
    "FlowerSettings": "FLOWER_",
    "CelerySettings": "CELERY_",
}
"""How the variables of a settings class begin; all others are those of `petiole up`."""

JOB_STORE_URL = "PETIOLE_TASKS_JOB_STORE_URL"


@contextmanager
def in_one_line() -> Iterator[None]:
    """End this program with one line on stderr where a setting is refused.

    Raises:
        SystemExit: one is.
    """
    try:
        yield
    except ValidationError as exc:
        sys.stderr.write(f"petiole: {refused(exc)}\n")
        raise SystemExit(WRONG_USAGE) from None


def refused(exc: ValidationError) -> str:
    """Return one line for each bad setting: its name in the environment, value, expectation."""
    prefix = PREFIXES.get(exc.title, "PETIOLE_UP_")
    return "; ".join(
        f"{_variable(prefix, str(error['loc'][0]))} is {without_password(error['input'])!r}: "
        f"{error['msg'].removeprefix('Value error, ')}"
        for error in exc.errors()
    )


def _variable(prefix: str, field: str) -> str:
    """Return the variable that a field's value came from."""
    name = f"{prefix}{field.upper()}"
    if name == JOB_STORE_URL and JOB_STORE_URL not in map(str.upper, os.environ):
        from tasks.settings import redis_url_variable  # noqa: PLC0415 - it imports this module's users

        return redis_url_variable()
    return name


def without_password(value: Any) -> Any:
    """Return a setting's value as it may be shown: an address names no user and no password."""
    if not isinstance(value, str):
        return value
    return re.sub(r"(?<=password=)[^&]*", "…", re.sub(r"^([\w+.-]*://)?.*@", r"\1…@", value))
