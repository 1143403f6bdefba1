"""`petiole logs`: what a part of the service has said, and says."""

import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import IO, Annotated

import typer

from model_store import command_line
from petiole import running
from petiole.console import next_step

POLL_SECONDS = 0.2

PartName = Annotated[
    str, typer.Argument(metavar="PART", help="worker, api, …; petiole is `petiole up` itself.")
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(logs)


def logs(part: PartName, follow: Follow = False, lines: Lines = 40) -> None:
    """Show the end of a part's log, also after the service has ended."""
    # Imported here: the other commands look at no log.
    from petiole import part_logs  # noqa: PLC0415

    directory = _directory()
    path = part_logs.path_of(directory, part)
    known = part_logs.names(directory)
    if part not in known:
        _refuse(part, known, directory)
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            typer.echo(line, nl=False)
        if not follow and sys.stdout.isatty():
            next_step("to follow it", "logs", part, "-f")
        if follow:
            for line in _following(path, file):
                typer.echo(line, nl=False)


def _directory() -> Path:
    from petiole import part_logs  # noqa: PLC0415 - as above

    note = running.find()
    if note is not None and note.log_directory:
        return Path(note.log_directory)
    return part_logs.directory_of(running.state_directory())


def _refuse(part: str, known: list[str], directory: Path) -> None:
    """End as wrong usage, with the parts that there are, or where they were looked for."""
    if known:
        meant = command_line.did_you_mean(part, known)
        typer.echo(f"petiole logs: there is no part {part}{meant}", err=True)
        typer.echo(f"  the parts:  {', '.join(known)}", err=True)
        raise typer.Exit(2)
    typer.echo(f"petiole logs: there are no logs in {command_line.here(directory)} yet", err=True)
    next_step("to start the service", "up")
    raise typer.Exit(1)


def _following(path: Path, file: IO[str]) -> Iterator[str]:
    """Yield each new line; a new file that took the place of the old one is read from its start."""
    unfinished = ""
    while True:
        for text in file:
            unfinished += text
            if unfinished.endswith("\n"):
                yield unfinished
                unfinished = ""
        if path.exists() and path.stat().st_ino != _inode(file):
            rest = file.readlines()
            yield from rest
            file = path.open(encoding="utf-8", errors="replace")
        else:
            sleep(POLL_SECONDS)


def _inode(file: IO[str]) -> int:
    return os.fstat(file.fileno()).st_ino
