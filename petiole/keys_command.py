"""`petiole keys`: who may use the service; they are kept in its Redis, and each is told once.

A name has two keys at most, so that a new one can take the place of an old one without a pause.
"""

import re
from datetime import datetime
from time import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from petiole.console import AsJson, job_store_errors_as_lines, next_step, print_json

if TYPE_CHECKING:
    from tasks.keys.records import ApiKey, Limits

SECONDS = {"m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"(\d{1,6})([mhd])")
DATE_WIDTH = len("2026-11-27")

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the keys of the API.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        help="classify, bulk, train, models or admin; once for each. Left out: classify, bulk and"
        " models.",
    ),
]
Expires = Annotated[
    str, typer.Option(metavar="TIME", help="How long it lasts, such as 90d, 12h or 30m.")
]


ALL_MAY = "Left out: what every key may, as the settings of the API say. 0 is without a limit."
RequestsPerSecond = Annotated[
    float | None, typer.Option(min=0, help=f"Requests that it may send in a second. {ALL_MAY}")
]
OpenJobs = Annotated[
    int | None, typer.Option(min=0, help=f"Its pictures that wait or are worked on. {ALL_MAY}")
]
BytesPerDay = Annotated[
    int | None, typer.Option(min=0, help=f"Bytes that it may send in a day (UTC). {ALL_MAY}")
]


@app.command()
def create(  # noqa: PLR0913, PLR0917 - one parameter for each option
    name: Name,
    scope: Scopes = None,
    expires: Expires = "",
    requests_per_second: RequestsPerSecond = None,
    open_jobs: OpenJobs = None,
    bytes_per_day: BytesPerDay = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this one time; a second one of a name shares what the first made."""
    expires_at = _expiry(expires)
    with job_store_errors_as_lines("keys"):
        from tasks import audit, stores  # noqa: PLC0415 - Redis, which `petiole --help` need not load
        from tasks.keys import records  # noqa: PLC0415 - as above

        _refuse_memory(in_memory=stores.are_in_memory())
        chosen = tuple(dict.fromkeys(scope or records.OF_CLIENTS))
        limits = records.Limits(requests_per_second, open_jobs, bytes_per_day)
        key, token = records.new(name, chosen, expires_at=expires_at, limits=limits)
        key = stores.keys().create(key)
        may = ", ".join([*key.scopes, *_own(key.limits)])
        audit.note(audit.KEY_CREATED, key.key_id, name=key.name, may=may)
    if as_json:
        print_json({"key": token, **_members(key)})
        return
    typer.echo(token)
    typer.echo(f"  {key.name} may {may}; it is not shown again", err=True)
    typer.echo(
        "  clients send it as `Authorization: Bearer …`, or have it in PETIOLE_KEY", err=True
    )
    next_step("to take it back", "keys", "revoke", key.key_id)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys: whose they are, what they may, until when, and when each was used last."""
    with job_store_errors_as_lines("keys"):
        from tasks import stores  # noqa: PLC0415 - as above

        found = stores.keys().all()
    if as_json:
        print_json({"keys": [_members(each) for each in found]})
    elif found:
        _print(found)
    else:
        typer.echo("there is no key")
        next_step("to make one", "keys", "create", "NAME")


@app.command()
def revoke(
    keys: Annotated[list[str], typer.Argument(metavar="ID…", help="As `petiole keys list` says.")],
    as_json: AsJson = False,
) -> None:
    """Take keys back; every process of the API refuses them within seconds."""
    with job_store_errors_as_lines("keys"):
        from tasks import audit, stores  # noqa: PLC0415 - as above

        revoked = [each for each in dict.fromkeys(keys) if stores.keys().revoke(each)]
        for each in revoked:
            audit.note(audit.KEY_REVOKED, each)
    unknown = [each for each in keys if each not in revoked]
    if as_json:
        print_json({"revoked": revoked, "unknown": unknown})
    else:
        said = "1 key is" if len(revoked) == 1 else f"{len(revoked)} keys are"
        typer.echo(f"{said} revoked")
        for each in unknown:
            typer.echo(f"petiole keys: there is no key {each!r}", err=True)
    if unknown:
        raise typer.Exit(1)


def _expiry(said: str) -> float:
    if not said:
        return 0.0
    match = DURATION.fullmatch(said)
    if match is None or not int(match[1]):
        raise typer.BadParameter(
            f"{said!r} is no time like 90d, 12h or 30m", param_hint="--expires"
        )
    return time() + int(match[1]) * SECONDS[match[2]]


def _refuse_memory(*, in_memory: bool) -> None:
    """Refuse to make a key that nobody but this command would know."""
    if in_memory:
        typer.echo("petiole keys: the job store is memory://, which keeps no keys", err=True)
        raise typer.Exit(1)


def _members(key: "ApiKey") -> dict[str, Any]:
    """Return what an operator may see: nothing that a key or a session is checked with."""
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "used_at": _moment(key.used_at),
        "active": not key.is_expired(time()),
        "limits": vars(key.limits),
    }


def _own(limits: "Limits") -> list[str]:
    """Return in words the limits that are a key's own."""
    words = {
        "requests in a second": limits.requests_per_second,
        "open pictures": limits.open_jobs,
        "bytes a day": limits.bytes_per_day,
    }
    own = {unit: most for unit, most in words.items() if most is not None}
    return [f"{most:,.15g} {unit}" if most else f"any {unit}" for unit, most in own.items()]


def _moment(at: float) -> str | None:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds") if at else None


def _print(keys: "list[ApiKey]") -> None:
    columns = ("id", "name", "may", "made", "until", "last used")
    table = Table(*columns, box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for column in table.columns[-3:]:
        column.min_width = DATE_WIDTH  # else a narrow terminal, or a pipe, would get half of it
    for key in keys:
        ends = f"[red]{_time(key.expires_at)}, over[/]" if key.is_expired(time()) else ""
        table.add_row(
            key.key_id,
            key.name,
            "\n".join([", ".join(key.scopes), *_own(key.limits)]),
            _time(key.created_at),
            ends or _time(key.expires_at),
            _time(key.used_at),
        )
    Console().print(table)


def _time(at: float) -> str:
    said = datetime.fromtimestamp(at).astimezone().isoformat(" ", "minutes")[:16] if at else "never"
    return said
