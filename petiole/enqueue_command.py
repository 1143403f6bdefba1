"""`petiole train --enqueue`: hands a training to a worker, and says how to follow and cancel it."""

from pathlib import Path
from typing import Any

import typer

from api.settings import ApiSettings
from model_store import command_line
from petiole import parts
from petiole.console import is_it_running
from tasks import audit, documents, publisher, training_jobs
from tasks.errors import ServiceUnavailableError
from training.command import FAILED, SUCCEEDED, WRONG_USAGE
from training.errors import SettingsError
from training.settings import TrainingSettings, name_of


def enqueue(settings: TrainingSettings) -> int:
    """Queue a training, print its id and its address, and return the exit code."""
    try:
        name = name_of(settings)
        wanted = document(settings, name=name)
        task_id = training_jobs.submit(wanted, model=name, pictures=settings.pictures_name)
        audit.note(audit.TRAINING_QUEUED, task_id, model=name)
    except SettingsError as exc:
        return _refuse(str(exc), WRONG_USAGE)
    except ServiceUnavailableError as exc:
        return _refuse(f"{exc}; {is_it_running()}", FAILED)
    service = parts.url_of(ApiSettings().host, ApiSettings().port)
    address = service + documents.result_url(task_id)
    typer.echo(f"Queued {task_id}; a training worker takes it from there.")
    if not publisher.has_worker("training"):
        typer.echo(
            "petiole train: no training worker answers now; it waits for one, such as that of "
            + command_line.command("up", PETIOLE_UP_TRAINING="1"),
            err=True,
        )
    typer.echo(f"  how far it is:  curl {address}")
    typer.echo(f"  to cancel it:   curl -X DELETE {address}")
    return SUCCEEDED


def document(settings: TrainingSettings, *, name: str) -> dict[str, Any]:
    """Return what was said, and nothing else: the worker has its own folders for the rest.

    Paths are made absolute, because the worker runs elsewhere; it has to see them in that place.
    """
    said = {field: getattr(settings, field) for field in sorted(settings.model_fields_set)}
    return {field: _placed(field, value) for field, value in said.items()} | {"name": name}


def _placed(field: str, value: Any) -> Any:
    """Return a path absolute, also that of a hub module's folder, and all else as it is."""
    if isinstance(value, Path):
        return str(value.absolute())
    if field not in {"backbone", "tfhub_module"}:
        return value
    family, colon, handle = value.rpartition(":")
    is_folder = bool(handle) and Path(handle).is_dir()
    return f"{family}{colon}{Path(handle).absolute()}" if is_folder else value


def _refuse(message: str, code: int) -> int:
    typer.echo(f"petiole train: {message}", err=True)
    return code
