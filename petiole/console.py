"""What the commands share: documents on stdout, progress and errors on stderr, exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.status import Status

from model_store import ModelStore, ModelStoreError, command_line
from model_store.errors import BadModelReferenceError, ImportOptionError, UnknownInstallerError
from model_store.heavy import quiet_libraries
from model_store.settings import ModelSettings

SAMPLE = Path(__file__).parent / "samples" / "coffee.jpg"

USAGE_ERRORS = (BadModelReferenceError, ImportOptionError, UnknownInstallerError)

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

Reference = Annotated[str, typer.Argument(metavar="REF", help="name, name@version or name@alias")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]


class Steps:
    """Says on stderr what is being done; calling it begins a step, `update` details it."""

    def __init__(self, console: Console, status: Status) -> None:
        """Print steps to `console` and show the latest in `status`."""
        self._console, self._status = console, status

    def __call__(self, step: str) -> None:
        """Begin a step: it stays on the screen."""
        self._console.print(step, markup=False, highlight=False, soft_wrap=True)
        self._status.update(step)

    def update(self, detail: str) -> None:
        """Show a detail in place of the last one; only a terminal shows it."""
        self._status.update(detail)


def open_store() -> ModelStore:
    """Return the store that the settings name."""
    return ModelStore.of(ModelSettings())


@contextmanager
def errors_as_lines() -> Iterator[None]:
    """Turn the errors of the stores into one line on stderr and the exit code."""
    try:
        yield
    except ModelStoreError as exc:
        typer.echo(f"petiole models: {exc}", err=True)
        raise typer.Exit(2 if isinstance(exc, USAGE_ERRORS) else 1) from exc
    except _service_errors() as exc:
        typer.echo(f"petiole models: {exc}; {is_it_running()}", err=True)
        raise typer.Exit(1) from exc


@contextmanager
def job_store_errors_as_lines(group: str) -> Iterator[None]:
    """Turn what the job store says into one line on stderr and exit code 1.

    `group` is the command's, as in `petiole jobs`.
    """
    # Imported here: Celery, which `petiole --help` need not load.
    from tasks.errors import ServiceUnavailableError, TasksError  # noqa: PLC0415

    try:
        yield
    except ServiceUnavailableError as exc:
        typer.echo(f"petiole {group}: {exc}; {is_it_running()}", err=True)
        raise typer.Exit(1) from exc
    except TasksError as exc:
        typer.echo(f"petiole {group}: {exc}", err=True)
        raise typer.Exit(1) from exc


def is_it_running() -> str:
    """Return what to do when no service answers, as the end of a sentence."""
    return f"`{command_line.command('status')}` says whether the service runs"


def classify_with(reference: str) -> tuple[str, ...]:
    """Return the words of a command that classifies the sample picture with a version."""
    return "label-image", command_line.here(SAMPLE), "--model", reference


def next_step(purpose: str, *words: str) -> None:
    """Say on stderr, as it is for people alone, which command comes next.

    It works as it is printed, in this directory and environment.
    """
    typer.echo(f"  {purpose}:  {command_line.command(*words)}", err=True)


def _service_errors() -> type[Exception]:
    # Imported when something went wrong: most commands need no connection to a service.
    from tasks.errors import ServiceUnavailableError  # noqa: PLC0415

    return ServiceUnavailableError


@contextmanager
def progress() -> Iterator[Steps]:
    """Yield what shows progress; the notes of heavy libraries are dropped meanwhile."""
    with quiet_libraries() as stderr:
        console = Console(file=stderr)
        with console.status("Starting") as status:
            yield Steps(console, status)


def why_no_file(picture: str, *, command: str) -> str:
    """Return what to do instead when a picture is named by its address; empty for a path.

    Asked before there is a `Path`, which makes one slash of two.
    """
    if not _ADDRESS.match(picture):
        return ""
    return (
        f"is an address, and {command} takes files; save it first, or let a running service fetch "
        "it (GET /classify?image_url=ADDRESS)"
    )


def print_json(document: dict[str, Any]) -> None:
    """Print one document to stdout."""
    typer.echo(json.dumps(document, indent=2))
