"""`petiole train --enqueue`: hands a training to a worker, and says how to follow and cancel it."""

from pathlib import Path
from typing import Any

import typer

from api.settings import ApiSettings
from petiole import parts
from tasks import training_jobs
from tasks.errors import StoreUnavailableError
from training import run
from training.errors import SettingsError
from training.settings import TrainingSettings

SUCCEEDED, FAILED, WRONG_USAGE = 0, 1, 2


def enqueue(settings: TrainingSettings) -> int:
    """Queue a training, print its id and its address, and return the exit code."""
    try:
        name = run.name_of(settings)
        pictures = settings.image_dir.name
        task_id = training_jobs.submit(document(settings, name=name), model=name, pictures=pictures)
    except SettingsError as exc:
        return _refuse(str(exc), WRONG_USAGE)
    except StoreUnavailableError as exc:
        return _refuse(f"{exc}; is the service running (make run)?", FAILED)
    address = f"{parts.url_of(ApiSettings().host, ApiSettings().port)}/result/{task_id}"
    typer.echo(f"Queued {task_id}; a training worker takes it from there.")
    typer.echo(f"  how far it is:  curl {address}")
    typer.echo(f"  to cancel it:   curl -X DELETE {address}")
    return SUCCEEDED


def document(settings: TrainingSettings, *, name: str) -> dict[str, Any]:
    """Return what was said, and nothing else: the worker has its own folders for the rest.

    Paths are made absolute, because the worker runs elsewhere; it has to see them in that place.
    """
    said = {field: getattr(settings, field) for field in sorted(settings.model_fields_set)}
    placed = {
        field: str(value.absolute()) if isinstance(value, Path) else value
        for field, value in said.items()
    }
    return placed | {"name": name}


def _refuse(message: str, code: int) -> int:
    typer.echo(f"petiole train: {message}", err=True)
    return code
