"""`petiole doctor`: looks at everything that a service needs, and says what to do."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from petiole.console import AsJson, next_step, print_json

if TYPE_CHECKING:
    from petiole.doctor.findings import Finding

SIGNS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Look for what keeps a service from working, running or not; say what to do about it.

    The exit code is 1 when something is wrong, and 0 when there are warnings at most.
    """
    findings = []
    for finding in _found():
        findings.append(finding)
        if not as_json:
            _show(finding)
    wrong = [finding for finding in findings if finding.level == "error"]
    if as_json:
        print_json({"well": not wrong, "findings": [asdict(each) for each in findings]})
    else:
        _conclude(findings)
    raise typer.Exit(1 if wrong else 0)


def _found() -> Iterator["Finding"]:
    # Imported here: the other commands need none of it.
    from petiole.doctor import machine, models, programs, redis, service  # noqa: PLC0415

    refused = list(service.settings())
    yield from refused
    if any(finding.level == "error" for finding in refused):
        # The other looks would stumble over the same setting.
        return
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        service.service,
        redis.look,
        models.look,
        machine.look,
        programs.look,
    )
    for look in looks:
        yield from look()


def _show(finding: "Finding") -> None:
    line = Table.grid(padding=(0, 1))
    line.add_column(width=1)
    line.add_column(width=12)
    line.add_column(overflow="fold")
    line.add_row(SIGNS[finding.level], finding.check, escape(finding.says))
    if finding.to_do:
        line.add_row("", "", f"[bold]{escape(finding.to_do)}[/]")
    Console().print(line)


def _conclude(findings: "list[Finding]") -> None:
    errors = sum(finding.level == "error" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    if not errors and not warnings:
        typer.echo("\nAll is well.")
    else:
        typer.echo(f"\n{_counted(errors, 'error')}, {_counted(warnings, 'warning')}.")
    if errors:
        next_step("to look again", "doctor")
    elif any(finding.check == "ports" for finding in findings):
        next_step("to start the service", "up")
    else:
        next_step("what the service does", "status")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
