"""`petiole classify`: pictures through the running service, their labels on stdout.

Progress, and a line for each picture that failed, go to stderr. Exit codes: 0 all have labels,
1 some have none, 2 wrong usage, 130 interrupted.
"""

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from model_store import command_line
from petiole.console import is_it_running

if TYPE_CHECKING:
    from petiole.classified_output import Output
    from petiole.client import Client, Outcome, PetioleError
    from petiole.named_pictures import NamedPicture

PROGRAM = "petiole classify"
FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

Pictures = Annotated[
    list[str],
    typer.Argument(metavar="PICTURE", help="Files, folders, addresses, or - for standard input."),
]
Url = Annotated[
    str,
    typer.Option(
        envvar="PETIOLE_URL", help="The service; left out, the one that runs in this folder."
    ),
]
Model = Annotated[str | None, typer.Option(help="name, name@version or name@alias.")]
TopK = Annotated[int | None, typer.Option(min=1, max=1000, help="How many labels for each.")]
Concurrency = Annotated[int, typer.Option(min=1, max=256, help="How many are under way at once.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Jsonl = Annotated[
    bool, typer.Option("--jsonl", help="A JSON object for each picture, a line each.")
]
Csv = Annotated[bool, typer.Option("--csv", help="A row for each label.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("classify")(classify)


def classify(  # noqa: PLR0913 - one for each option of the command line
    pictures: Pictures,
    *,
    url: Url = "",
    model: Model = None,
    top_k: TopK = None,
    concurrency: Concurrency = 8,
    as_json: Json = False,
    as_jsonl: Jsonl = False,
    as_csv: Csv = False,
) -> None:
    """Classify pictures with the running service: files, folders, addresses, or - for a pipe.

    A picture that fails is a line on stderr, and the others go on.
    """
    flags = {"--json": as_json, "--jsonl": as_jsonl, "--csv": as_csv}
    chosen = [flag for flag, is_asked in flags.items() if is_asked]
    if len(chosen) > 1:
        _refuse(f"{' and '.join(chosen)} exclude each other; choose one", code=WRONG_USAGE)
    named = _named(pictures)
    if not chosen and len(named) > 1:
        top_k = top_k or 1  # a line for each
    with _client(url) as client, _reader_may_leave():
        outcomes = client.map(
            [each.picture for each in named],
            concurrency=concurrency,
            progress=False,
            model=model,
            top_k=top_k,
        )
        failed = _print_all(outcomes, named, _output("".join(chosen), named))
    raise typer.Exit(FAILED if failed else 0)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End quietly when whoever reads the output has had enough, as in `| head`."""
    try:
        yield
    except BrokenPipeError as exc:
        # Python writes what is left at its end, and would say that it cannot.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from exc


def _named(words: list[str]) -> "list[NamedPicture]":
    from petiole import named_pictures  # noqa: PLC0415 - httpx2, which `petiole --help` need not load

    try:
        return named_pictures.named(words)
    except named_pictures.NoPictureError as exc:
        for sentence in exc.sentences:
            typer.echo(f"{PROGRAM}: {sentence}", err=True)
        raise typer.Exit(WRONG_USAGE) from exc
    except KeyboardInterrupt:
        _refuse("interrupted; nothing was sent", code=INTERRUPTED)


def _client(url: str) -> "Client":
    from petiole import running  # noqa: PLC0415 - as above
    from petiole.client import Client  # noqa: PLC0415 - as above

    note = None if url else running.find()
    if not url and note is None:
        _refuse(
            "no service runs in this folder or above it; start one"
            f" ({command_line.command('up')}), or name one with --url or PETIOLE_URL",
            code=FAILED,
        )
    try:
        return Client(url or (note.api_url if note else ""))
    except ValueError as exc:
        _refuse(str(exc), code=WRONG_USAGE)


def _output(chosen: str, named: "Sequence[NamedPicture]") -> "Output":
    from petiole import classified_output as outputs  # noqa: PLC0415 - as above

    match chosen:
        case "--json":
            return outputs.JsonDocument()
        case "--jsonl":
            return outputs.JsonLines()
        case "--csv":
            return outputs.CsvRows()
    is_one = len(named) == 1
    return outputs.OnePicture() if is_one else outputs.ManyPictures([n.name for n in named])


def _print_all(
    outcomes: "Generator[Outcome[Any]]", named: "Sequence[NamedPicture]", output: "Output"
) -> int:
    """Print what became of each picture as it is known; returns how many failed."""
    from petiole.client.progress import ProgressLine  # noqa: PLC0415 - as above

    line = ProgressLine(named, shown=None if len(named) > 1 else False)
    try:
        with closing(outcomes):
            for outcome in outcomes:
                line.hide()
                _print_one(outcome, named, output)
                line.count(failed=outcome.error is not None)
    except KeyboardInterrupt:
        line.hide()
        _refuse(f"interrupted after {line}; what was under way is withdrawn", code=INTERRUPTED)
    line.hide()
    output.end()
    if line.failed and len(named) > 1:
        typer.echo(f"{PROGRAM}: {line}", err=True)
    return line.failed


def _print_one(outcome: "Outcome[Any]", named: "Sequence[NamedPicture]", output: "Output") -> None:
    from petiole.classified_output import printable  # noqa: PLC0415 - as above

    if outcome.error is not None:
        _stop_where_all_would_fail(outcome.error)
        name = printable(named[outcome.index].name)
        typer.echo(f"{PROGRAM}: {name}: {printable(str(outcome.error))}", err=True)
    output.add(named[outcome.index].name, outcome)


def _stop_where_all_would_fail(error: "PetioleError") -> None:
    from petiole import client  # noqa: PLC0415 - as above
    from petiole.classified_output import printable  # noqa: PLC0415 - as above

    said = printable(str(error))
    if isinstance(error, client.UnknownModelError | client.InvalidRequestError):
        _refuse(said, code=WRONG_USAGE)
    if isinstance(error, client.UnreachableError):
        _refuse(f"{said}; {is_it_running()}", code=FAILED)
    if isinstance(error, client.UnexpectedAnswerError | client.AccessDeniedError):
        _refuse(said, code=FAILED)


def _refuse(message: str, *, code: int) -> NoReturn:
    typer.echo(f"{PROGRAM}: {message}", err=True)
    raise typer.Exit(code)
