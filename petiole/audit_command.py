"""`petiole audit`: who did what to keys, versions, pictures in quarantine and trainings."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from petiole.console import job_store_errors_as_lines

if TYPE_CHECKING:
    from tasks.audit import Deed


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("audit")(audit)


def audit(
    last: Annotated[int, typer.Option(min=1, max=100_000, help="How many lines.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.")] = False,
) -> None:
    """Show who did what: keys, promotions, rollbacks, quarantine, purges, trainings."""
    from tasks import stores  # noqa: PLC0415 - Redis, which `petiole --help` need not load

    with job_store_errors_as_lines("audit"):
        deeds = stores.audit().latest(last)
    if as_json:
        for deed in deeds:
            typer.echo(deed.line)
    elif deeds:
        _print(deeds)
    else:
        typer.echo("nothing has been done yet")


def _print(deeds: "list[Deed]") -> None:
    table = Table("when", "what", "of", "by", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[:2]:
        column.no_wrap = True
    for deed in deeds:
        at = datetime.fromtimestamp(deed.at).astimezone().isoformat(" ", "seconds")[:19]
        particulars = ", ".join(f"{n} {value}" for n, value in deed.particulars.items())
        table.add_row(at, deed.what, *map(escape, (deed.subject, deed.by, particulars)))
    Console().print(table)
