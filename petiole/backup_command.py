"""`petiole backup` and `petiole restore`: all that a service cannot get again, in one file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from model_store.errors import ModelStoreError
from petiole.backup.errors import BackupError
from petiole.console import AsJson, job_store_errors_as_lines, next_step, print_json, progress

COUNTED = {"versions": "versions", "keys": "keys", "jobs": "open jobs", "bulks": "open bulks"}


def register(app: typer.Typer) -> None:
    """Add both commands to the command line."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="Where it is written; there must be none yet.")],
    as_json: AsJson = False,
) -> None:
    """Write models, keys, open jobs with their pictures and the audit trail into one file."""
    with _errors_as_lines("backup"), progress() as steps:
        from petiole.backup.places import Places  # noqa: PLC0415 - Redis, which --help need not load
        from petiole.backup.taking import take  # noqa: PLC0415 - as above

        manifest = take(file, Places.named(), steps.update)
    if as_json:
        print_json({"file": str(file), "created_at": manifest.created_at, **manifest.counts})
    else:
        typer.echo(f"{file} has {_told(manifest.counts)}")
        next_step("to bring it back elsewhere", "restore", str(file))


def restore(
    file: Annotated[Path, typer.Argument(help="What `petiole backup` wrote.")],
    adds: Annotated[
        bool, typer.Option("--add", help="Also where something is already, which stays as it is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring back what a backup holds; its open jobs wait again, under their ids."""
    with _errors_as_lines("restore"), progress() as steps:
        from petiole.backup.places import Places  # noqa: PLC0415 - Redis, which --help need not load
        from petiole.backup.restoring import restore as bring_back  # noqa: PLC0415 - as above

        restored = bring_back(file, Places.named(), steps.update, adds=adds)
    if as_json:
        print_json({"file": str(file), "restored": restored.written})
    else:
        typer.echo(f"of {file}, from {restored.manifest.created_at}: {_said(restored.written)}")
        next_step("what the service does", "status")


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[name]} {what}" for name, what in COUNTED.items())


def _said(written: dict[str, int]) -> str:
    return ", ".join(
        f"{written[name]} {what}"
        for name, what in ({"files": "files of models"} | COUNTED).items()
        if name in written
    )


@contextmanager
def _errors_as_lines(command: str) -> Iterator[None]:

    with job_store_errors_as_lines(command):
        try:
            yield
        except (BackupError, ModelStoreError) as exc:
            typer.echo(f"petiole {command}: {exc}", err=True)
            raise typer.Exit(1) from exc
