"""The whole of `petiole chaos`: look, say what will be done, ask, do it, count, tidy up."""

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

import redis
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from petiole.chaos import installation as installations
from petiole.chaos import outcome, table
from petiole.chaos.errors import RefusedError
from petiole.chaos.findings import Findings
from petiole.chaos.installation import Installation
from petiole.chaos.run import Asked, Fault, Run, say
from petiole.console import print_json
from tasks.errors import ServiceUnavailableError

KEPT, BROKEN, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def conduct(
    prepare: Callable[[Installation], Fault], asked: Asked, *, yes: bool, as_json: bool
) -> int:
    """Hurt the service after its user has said so, and return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        installation = installations.find(asked.api)
        fault = prepare(installation)
        _announce(fault, installation, asked)
        if not yes:
            _ask()
        run = Run(installation.api, asked, fault.recovers_within, large=fault.large)
        return _carried_out(fault, run, installation, as_json=as_json)
    except (RefusedError, ServiceUnavailableError, redis.RedisError) as exc:
        typer.echo(f"petiole chaos: {exc}", err=True)
        return BROKEN
    except KeyboardInterrupt:
        typer.echo("petiole chaos: interrupted", err=True)
        return INTERRUPTED


def _announce(fault: Fault, installation: Installation, asked: Asked) -> None:
    model = f" for {asked.model}" if asked.model else ""
    rows = {
        "does": fault.does,
        "sends": f"at most {asked.most_pictures} pictures of its own to {installation.api}{model},"
        " whose results it deletes in the end",
        "others": fault.others,
        "lasts": f"{fault.usual_seconds:g} s or so; what has no answer after"
        f" {asked.most_seconds:g} s is given up",
    }
    if installation.why_no_jobs:
        rows["blind"] = f"doubled executions are not counted: {installation.why_no_jobs}"
    grid = Table.grid(padding=(0, 2))
    for name, text in rows.items():
        grid.add_row(f"  {name}", escape(text))
    screen = Console(stderr=True, highlight=False)
    screen.print(f"[bold]petiole chaos {fault.name}[/] hurts a running service on purpose.")
    screen.print(grid)


def _ask() -> None:
    """Return when the user wants it.

    Raises:
        typer.Exit: nobody can be asked, or the user does not want it.
    """
    if not sys.stdin.isatty():
        typer.echo("petiole chaos: there is no terminal to ask; --yes means go on", err=True)
        raise typer.Exit(WRONG_USAGE)
    try:
        wanted = typer.confirm("Go on?", err=True)
    except typer.Abort as exc:
        raise KeyboardInterrupt from exc
    if not wanted:
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(KEPT)


def _carried_out(fault: Fault, run: Run, installation: Installation, *, as_json: bool) -> int:
    """Hurt the service, show what became of the pictures, and return the exit code."""
    rate_after, whole = 0.0, False
    try:
        try:
            rate_after = _hurt(fault, run)
            whole = True
        except KeyboardInterrupt:
            say("interrupted; no more is done")
        row = outcome.row_of(fault, run, installation, rate_after=rate_after, whole=whole)
    finally:
        if left := outcome.forget(run):
            say(f"{left} results could not be deleted; they expire by themselves")
    if run.begun_at:
        _show(row, run.remarks, as_json=as_json)
    else:
        say("nothing was hurt")
    if not whole:
        return INTERRUPTED
    return BROKEN if row.broken else KEPT


def _hurt(fault: Fault, run: Run) -> float:
    """Do it between two moments of calm; return the pictures a second of the second one."""
    with run.watcher:
        run.learn()
        run.rate = run.measure()
        say(f"calm: {run.rate:.0f} pictures a second")
        fault.act(run)
        until = min(run.deadline, run.healed_at + fault.answers_within)
        settled = run.watcher.wait(until=until)
        say("all answered" if settled else f"{len(run.journal.open())} not answered in time")
        rate_after = run.measure_again()
    outcome.look_again(run)
    return rate_after


def _show(row: Findings, remarks: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        document = {name: value for name, value in asdict(row).items() if name != "skipped"}
        print_json({**document, "remarks": remarks, "kept": table.kept(row)})
        return
    screen = Console(highlight=False)
    if screen.is_terminal:
        grid = Table.grid(padding=(0, 2))
        for name, cell in zip(table.HEAD, table.cells(row), strict=True):
            grid.add_row(name, escape(cell))
        screen.print(grid)
    else:
        typer.echo(table.of([row]))
    for promise in row.broken:
        screen.print(f"[red]not kept[/]: {escape(promise)}", soft_wrap=True)
    for remark in remarks:
        screen.print(escape(remark), soft_wrap=True)
