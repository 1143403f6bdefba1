"""`petiole webhooks`: who waits to be told of an end, who could not be, and telling them again.

It speaks to the job store of the running service; workers that take `downloads` deliver.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from petiole.console import AsJson, next_step, print_json

if TYPE_CHECKING:
    from tasks.job_stores.webhooks import Webhook

app = typer.Typer(no_args_is_help=True, help="Look at webhooks, and send those that failed again.")


@app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List the webhooks that wait for their next try, and those that were given up."""
    with _errors_as_lines():
        from tasks import stores  # noqa: PLC0415 - Redis, which `petiole --help` need not load

        waiting, dead = stores.webhooks().waiting(), stores.webhooks().dead()
    if as_json:
        print_json({"waiting": list(map(_members, waiting)), "dead": list(map(_members, dead))})
    else:
        _print(waiting, dead)


@app.command()
def resend(
    task_ids: Annotated[list[str] | None, typer.Argument(metavar="TASK_ID…")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send webhooks again that were given up: those that are named, or all."""
    if bool(task_ids) == every:
        raise typer.BadParameter("name the tasks, or say --all")
    with _errors_as_lines():
        sent, unknown = _sent_again(task_ids) if task_ids else (_all_sent_again(), [])
    if as_json:
        print_json({"resent": sent, "unknown": unknown})
    else:
        typer.echo(f"{len(sent)} webhooks are sent again")
        if sent:
            next_step("what becomes of them", "webhooks", "list")
        for task_id in unknown:
            typer.echo(f"petiole webhooks: none was given up of task {task_id!r}", err=True)
    if unknown:
        raise typer.Exit(1)


def _sent_again(task_ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """Send these again; return which could be, and of which none was given up."""
    from tasks import stores  # noqa: PLC0415 - as above

    sent = [task_id for task_id in task_ids if stores.webhooks().send_again(task_id)]
    return sent, [task_id for task_id in task_ids if task_id not in sent]


def _all_sent_again() -> list[str]:
    """Send all again that were given up until now: some may be given up once more meanwhile."""
    from tasks import stores  # noqa: PLC0415 - as above

    sent: list[str] = []
    now = stores.prompt_job_store().now()
    while dead := [each.task_id for each in stores.webhooks().dead() if each.at < now]:
        sent += _sent_again(dead)[0]
    return sent


@contextmanager
def _errors_as_lines() -> Iterator[None]:
    """Turn what the job store says into one line on stderr and exit code 1."""
    from tasks.errors import TasksError  # noqa: PLC0415 - as above

    try:
        yield
    except TasksError as exc:
        typer.echo(f"petiole webhooks: {exc}", err=True)
        raise typer.Exit(1) from exc


def _members(webhook: "Webhook") -> dict[str, Any]:
    """Return what an operator may see; the document is its client's."""
    return {name: value for name, value in asdict(webhook).items() if name != "document"}


def _print(waiting: Sequence["Webhook"], dead: Sequence["Webhook"]) -> None:
    if not waiting and not dead:
        typer.echo("no webhook waits, and none was given up")
        return
    table = Table("task id", "state", "since", "tries", "address", "why", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    table.columns[4].overflow = "fold"
    for state, webhooks in (("due", waiting), ("given up", dead)):
        for each in webhooks:
            cells = (escape(each.url), escape(each.reason))
            table.add_row(each.task_id, state, _time(each.at), str(each.attempts), *cells)
    Console().print(table)
    if dead:
        next_step("to send those again that were given up", "webhooks", "resend", "--all")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")[:19]
