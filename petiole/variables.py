"""What the environment says to any part, looked at before a command does anything.

A mistyped limit would leave the default in force, and nobody would know.
"""

import os

import typer

from model_store import environment
from model_store.environment import PREFIX, Settings
from model_store.settings import ModelSettings
from petiole.settings import UpSettings

READ_ELSEWHERE = {
    *("PETIOLE_PHOTOGRAPHS", "PETIOLE_URL", "PETIOLE_KEY"),
    *("PETIOLE_REDIS_WEB_PASSWORD", "PETIOLE_REDIS_WORKER_PASSWORD"),
    *("PETIOLE_REDIS_FLOWER_PASSWORD", "PETIOLE_REDIS_OPERATOR_PASSWORD"),
}
"""Read by `docker-compose.yml` alone; by what speaks to a service."""

FOR_TESTS = "PETIOLE_TEST_"


def all_settings() -> tuple[Settings, ...]:
    """Return every settings class whose variables begin with `PETIOLE_`."""
    # Imported here: with the API's room comes Flask, for which most commands need not wait.
    from api.settings import ApiSettings  # noqa: PLC0415
    from tasks.settings import TasksSettings  # noqa: PLC0415
    from training.settings import TrainingPlaces  # noqa: PLC0415

    return ApiSettings, TasksSettings, ModelSettings, TrainingPlaces, UpSettings


def are_settings() -> bool:
    """Tell whether all that begins like our settings is one; what is not is said, a line each.

    The rest of `PETIOLE_` may be somebody else's (an orchestrator sets such names): it is said,
    and nothing more.
    """
    ours = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    if set(ours) <= {*READ_ELSEWHERE, *_quickly_known()}:
        return True
    classes = all_settings()
    known = [*READ_ELSEWHERE, *(name for each in classes for name in environment.names_of(each))]
    strange = [n for n in ours if n.upper() not in known and not n.upper().startswith(FOR_TESTS)]
    for name in strange:
        typer.echo(f"petiole: {environment.sentence(name, known)}", err=True)
    return not environment.unknown(*classes)


def _quickly_known() -> list[str]:
    return [*environment.names_of(ModelSettings), *environment.names_of(UpSettings)]
