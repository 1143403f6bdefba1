"""`petiole jobs`: what waits, what is in work, what went into quarantine, and what to do about it.

It speaks to the job store of the running service; a picture in quarantine was started
`PETIOLE_TASKS_MAX_ATTEMPTS` times and took its worker with it each time.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from petiole.console import AsJson, job_store_errors_as_lines, next_step, print_json

if TYPE_CHECKING:
    from tasks.ledger import Listed

app = typer.Typer(no_args_is_help=True, help="Look at jobs, and at pictures in quarantine.")

TaskId = Annotated[str, typer.Argument(metavar="TASK_ID", help="The id that the client got.")]


@app.command("list")
def list_jobs(as_json: AsJson = False) -> None:
    """List the jobs that wait, those in work, and those in quarantine."""
    with job_store_errors_as_lines("jobs"):
        from tasks import ledger  # noqa: PLC0415 - Celery, which `petiole --help` need not load

        found = ledger.overview()
    if as_json:
        print_json(asdict(found))
    else:
        _print([*found.started, *found.waiting, *found.quarantined], none="no job is open")
        _say_what_follows(found.quarantined)


@app.command()
def show(task_id: TaskId, as_json: AsJson = False) -> None:
    """Show one job: where it is, and how often it was started, put off and sent again."""
    with job_store_errors_as_lines("jobs"):
        from tasks import ledger  # noqa: PLC0415 - as above

        found = ledger.find(task_id)
    if as_json:
        print_json(asdict(found))
    else:
        _show(found)
        _say_what_follows([found] if found.place == "quarantined" else [])


@app.command()
def quarantine(as_json: AsJson = False) -> None:
    """List the jobs whose pictures took every worker with them."""
    with job_store_errors_as_lines("jobs"):
        from tasks import ledger  # noqa: PLC0415 - as above

        found = ledger.overview().quarantined
    if as_json:
        print_json({"quarantined": [asdict(each) for each in found]})
    else:
        _print(found, none="no picture is in quarantine")
        _say_what_follows(found)


@app.command()
def retry(task_id: TaskId, as_json: AsJson = False) -> None:
    """Classify a quarantined picture, or a failed one with an address, once more as a new job."""
    with job_store_errors_as_lines("jobs"):
        from tasks import audit, ledger  # noqa: PLC0415 - as above

        again = ledger.retry(task_id)
        audit.note(audit.RETRIED, task_id, again=again)
    if as_json:
        print_json({"task_id": again, "retried": task_id})
    else:
        typer.echo(f"{task_id} is tried again as {again}")
        next_step("what becomes of it", "jobs", "show", again)


@app.command()
def purge(
    task_ids: Annotated[list[str] | None, typer.Argument(metavar="TASK_ID…")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete quarantined pictures for ever: those that are named, or all."""
    with job_store_errors_as_lines("jobs"):
        from tasks import audit, ledger  # noqa: PLC0415 - as above

        chosen = task_ids or [each.task_id for each in ledger.overview().quarantined]
        if chosen and not yes:
            typer.confirm(f"Delete {len(chosen)} pictures in quarantine?", abort=True, err=True)
        for task_id in chosen:
            ledger.purge(task_id)
            audit.note(audit.PURGED, task_id)
    if as_json:
        print_json({"purged": chosen})
    else:
        typer.echo(f"{len(chosen)} pictures are deleted")
        next_step("what is left", "jobs", "quarantine")


def _say_what_follows(quarantined: Sequence["Listed"]) -> None:
    """Print what can be done about the first picture in quarantine."""
    if quarantined:
        first = quarantined[0].task_id
        next_step("to try it once more", "jobs", "retry", first)
        next_step("to delete it", "jobs", "purge", first)


def _print(listed: Sequence["Listed"], *, none: str) -> None:
    if not listed:
        typer.echo(none)
        return
    table = Table("task id", "where", "since", "file", box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    table.columns[3].overflow = "fold"
    for each in listed:
        table.add_row(each.task_id, each.place, _time(each.since), escape(each.filename))
    Console().print(table)


def _show(job: "Listed") -> None:
    grid = Table.grid(padding=(0, 2))
    for name, value in (
        ("task id", job.task_id),
        ("where", f"{job.place}, {job.state}"),
        ("since", _time(job.since)),
        ("file", job.filename),
        ("model", job.model),
        ("starts", f"{job.attempts} that nobody has explained"),
        ("put off", f"{job.postponed} times for what was not its fault"),
        ("sent again", f"{job.resent} times, its message or worker was lost"),
        ("held by", job.owner or "nobody"),
        ("failed with", job.cause or "nothing"),
    ):
        grid.add_row(name, escape(value))
    Console().print(grid)


def _time(since: float) -> str:
    return datetime.fromtimestamp(since).astimezone().isoformat(" ", "seconds")[:19]
