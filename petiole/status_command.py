"""`petiole status` and `petiole open`: whether a service runs here, and its page."""

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from petiole.console import AsJson, next_step, print_json
from petiole.output import OURS

if TYPE_CHECKING:
    from petiole.service_state import ModelState, PartState, ServiceState

MINUTE, HOUR, DAY = 60, 3600, 86_400
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Where one of these is set, a browser can be opened; elsewhere than on Linux one always can."""


def register(app: typer.Typer) -> None:
    """Add both commands to the command line."""
    app.command()(status)
    app.command("open")(open_page)


def status(as_json: AsJson = False) -> None:
    """Say whether the service runs and is ready, with its parts, models, jobs and addresses.

    The exit code is 0 when a picture sent now would be classified, else 1.
    """
    found = _look()
    if as_json:
        print_json(asdict(found))
    else:
        _print(found)
    raise typer.Exit(0 if found.ready else 1)


def open_page() -> None:
    """Open the service's page in the browser; where there is none, print its address."""
    found = _look()
    if not found.running:
        typer.echo(f"petiole open: {found.missing}", err=True)
        next_step("to start it", "up")
        raise typer.Exit(1)
    address = found.addresses["page"]
    typer.echo(address)
    if _has_browser():
        _open(address)


def _look() -> "ServiceState":
    # Imported here: the other commands need neither the API's settings nor a connection.
    from petiole import service_state  # noqa: PLC0415

    return service_state.look()


def _open(address: str) -> None:
    import webbrowser  # noqa: PLC0415 - for this command alone

    if not webbrowser.open(address):
        typer.echo("petiole open: no browser could be started; open the address yourself", err=True)


def _has_browser() -> bool:
    return sys.platform != "linux" or any(os.environ.get(name) for name in DISPLAYS)


def _print(found: "ServiceState") -> None:
    console = Console()
    console.print(_headline(found), highlight=False, soft_wrap=True)
    for warning in found.warnings:
        console.print(f"[yellow]![/] {escape(warning)}", highlight=False, soft_wrap=True)
    if found.parts:
        console.print(_parts(found.parts))
    console.print(_facts(found))
    _say_what_follows(found)


def _headline(found: "ServiceState") -> str:
    if found.ready:
        children = "1 child" if found.children == 1 else f"{found.children} children"
        loaded = f" with {escape(', '.join(found.loaded))}" if found.loaded else ""
        return f"[bold green]ready[/]  {children}{loaded}"
    word = "not ready" if found.running else "not running"
    return f"[bold red]{word}[/]  {escape(found.missing)}"


def _parts(parts: "tuple[PartState, ...]") -> Table:
    table = Table("part", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("process", "up for", "restarts"):
        table.add_column(column, justify="right")
    for part in parts:
        restarts = f"[yellow]{part.restarts}[/]" if part.restarts else "0"
        table.add_row(part.name, str(part.process), _duration(part.uptime_seconds), restarts)
    return table


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "starts again"
    for unit, size in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _facts(found: "ServiceState") -> Table:
    grid = Table.grid(padding=(0, 2))
    if found.jobs is not None:
        jobs = f"{found.jobs.waiting} waiting, {found.jobs.running} running"
        grid.add_row("[dim]jobs[/]", jobs)
    for number, model in enumerate(found.models):
        grid.add_row("" if number else "[dim]models[/]", escape(_model(model)))
    for name, address in found.addresses.items():
        grid.add_row(f"[dim]{name}[/]", escape(address))
    if found.log_directory:
        grid.add_row("[dim]logs[/]", escape(found.log_directory))
    return grid


def _model(model: "ModelState") -> str:
    version = "none in production" if model.production is None else f"@{model.production}"
    return f"{model.name}{version}" + ("  (when a client names none)" if model.default else "")


def _say_what_follows(found: "ServiceState") -> None:
    if found.ready:
        next_step("to see its page", "open")
    elif not found.running:
        next_step("to start it", "up")
        next_step("what could be in the way", "doctor")
    else:
        next_step("what is wrong", "doctor")
        if found.parts:
            next_step("what it says", "logs", OURS)
