"""The command `petiole`: start the service, try it, look after its models.

Exit codes: 0 done, 1 it failed, 2 wrong usage, 130 interrupted.
"""

import os
import sys
from typing import Annotated

import typer
from pydantic import ValidationError

from petiole import (
    audit_command,
    backup_command,
    chaos_command,
    classify_command,
    doctor_command,
    jobs_command,
    keys_command,
    logs_command,
    models_command,
    redis_users_command,
    rollout_commands,
    running,
    status_command,
    train_command,
    usage,
    variables,
    webhooks_command,
)
from petiole.console import is_it_running, next_step

STARTING = (["up"], ["demo"])
"""The commands that start a service of their own, wherever another one runs."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
rollout_commands.register(models_command.app)
app.add_typer(models_command.app, name="models")
app.add_typer(jobs_command.app, name="jobs")
app.add_typer(keys_command.app, name="keys")
app.add_typer(chaos_command.app, name="chaos")
app.add_typer(webhooks_command.app, name="webhooks")
audit_command.register(app)
redis_users_command.register(app)
backup_command.register(app)
train_command.register(app)
classify_command.register(app)
status_command.register(app)
logs_command.register(app)
doctor_command.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata  # noqa: PLC0415 - for this one line

        typer.echo(f"petiole {metadata.version('petiole')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Image classification behind Flask, Celery and Redis."""


@app.command()
def up(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show all that the parts log.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Ask nobody for a key, wherever the API listens.")
    ] = False,
) -> None:
    """Run the whole service here until Ctrl-C: Redis, workers, API and Flower."""
    if insecure:
        os.environ["PETIOLE_API_INSECURE"] = "true"
    # Imported here: the other commands need neither the API's settings nor a supervisor.
    from petiole import up as whole_service  # noqa: PLC0415
    from petiole.planning import StartError, StartInterruptedError  # noqa: PLC0415

    try:
        whole_service.run(verbose=verbose)
    except StartError as exc:
        _refuse(str(exc), interrupted=isinstance(exc, StartInterruptedError))


@app.command()
def roll() -> None:
    """Replace the running service's workers and API by new processes, without a pause."""
    note = running.find()
    if note is None:
        _refuse(f"no service runs here or in a folder above; {is_it_running()}", interrupted=False)
    elif failure := running.roll(note):
        _refuse(f"not rolled: {failure}", interrupted=False)
    else:
        typer.echo("rolled: workers and API are new processes")
        next_step("what the service does", "status")


@app.command()
def demo(
    images: Annotated[list[str] | None, typer.Argument(help="Pictures; a sample if none.")] = None,
    verbose: Annotated[bool, typer.Option(help="Show the logs of the parts.")] = False,
) -> None:
    """Start the service beside a running one, classify pictures, print their labels, stop."""
    from petiole import demo as demonstration  # noqa: PLC0415
    from petiole.planning import StartError, StartInterruptedError  # noqa: PLC0415

    if unusable := demonstration.unusable(images or []):
        for sentence in unusable:
            typer.echo(f"petiole demo: {sentence}", err=True)
        raise typer.Exit(2)
    try:
        succeeded = demonstration.run(images or [], verbose=verbose)
    except StartError as exc:
        _refuse(str(exc), interrupted=isinstance(exc, StartInterruptedError))
    else:
        raise typer.Exit(0 if succeeded else 1)


def _refuse(message: str, *, interrupted: bool) -> None:
    typer.echo(f"petiole: {message}", err=True)
    raise typer.Exit(130 if interrupted else 1)


def main() -> None:
    """Run the command line; a bad setting is one clear line, and so is one that is none."""
    if "--help" not in sys.argv and not variables.are_settings():
        sys.exit(2)
    if sys.argv[1:2] not in STARTING:
        running.adopt(os.environ)
    try:
        sys.exit(usage.run(app))
    except ValidationError as exc:
        # Imported here: with it comes Celery, for which most commands need not wait.
        from tasks import bad_settings  # noqa: PLC0415

        typer.echo(f"petiole: {bad_settings.refused(exc)}", err=True)
        sys.exit(bad_settings.WRONG_USAGE)
