"""`petiole classify`: pictures through the running service, their labels on stdout.

Progress, and a line for each picture that failed, go to stderr. Exit codes: 0 all have labels,
1 some have none, 2 wrong usage, 130 interrupted.
"""

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
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
    typer.Argument(
        metavar="PICTURE",
        help="Files, folders, archives, lists (.txt), addresses, or - for a pipe.",
    ),
]
Url = Annotated[
    str,
    typer.Option(
        envvar="PETIOLE_URL", help="The service; left out, the one that runs in this folder."
    ),
]
Key = Annotated[
    str, typer.Option(help="The key to show; left out, that of PETIOLE_KEY.", show_default=False)
]
Model = Annotated[str | None, typer.Option(help="name, name@version or name@alias.")]
TopK = Annotated[int | None, typer.Option(min=1, max=1000, help="How many labels for each.")]
MinProbability = Annotated[
    float | None, typer.Option(min=0, max=1, help="Leave out labels below it.")
]
Neighbours = Annotated[
    int | None,
    typer.Option(min=0, max=10, help="Name so many training pictures that look like each."),
]
IgnoreUnknown = Annotated[
    bool, typer.Option("--ignore-unknown", help="Say nothing of how strange a picture is.")
]
Concurrency = Annotated[int, typer.Option(min=1, max=256, help="How many are under way at once.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Jsonl = Annotated[
    bool, typer.Option("--jsonl", help="A JSON object for each picture, a line each.")
]
Csv = Annotated[bool, typer.Option("--csv", help="A row for each label.")]
OutputPath = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False, help="A .jsonl or .csv file; what is in it already is not done again."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("classify")(classify)


def classify(  # noqa: PLR0913 - one for each option of the command line
    pictures: Pictures,
    *,
    url: Url = "",
    key: Key = "",
    model: Model = None,
    top_k: TopK = None,
    min_probability: MinProbability = None,
    neighbours: Neighbours = None,
    ignore_unknown: IgnoreUnknown = False,
    concurrency: Concurrency = 8,
    as_json: Json = False,
    as_jsonl: Jsonl = False,
    as_csv: Csv = False,
    output: OutputPath = None,
) -> None:
    """Classify pictures with the running service: files, folders, archives, lists, addresses.

    A picture that fails is a line on stderr, and the others go on.

    With --output FILE, the same command goes on where it was interrupted.
    """
    flags = {"--json": as_json, "--jsonl": as_jsonl, "--csv": as_csv, "--output": output}
    chosen = [flag for flag, is_asked in flags.items() if is_asked]
    if len(chosen) > 1:
        _refuse(f"{' and '.join(chosen)} exclude each other; choose one", code=WRONG_USAGE)
    named: Sequence[NamedPicture] = _named(pictures)
    if not chosen and len(named) > 1:
        top_k = top_k or 1  # a line for each
    with (
        _output(chosen, named, output) as (to, named),
        _client(url, key) as client,
        _reader_may_leave(),
    ):
        outcomes = client.map(
            [each.picture for each in named],
            concurrency=concurrency,
            progress=False,
            model=model,
            top_k=top_k,
            min_probability=min_probability,
            unknown="ignore" if ignore_unknown else None,
            neighbours=neighbours,
        )
        failed = _print_all(outcomes, named, to)
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


def _client(url: str, key: str) -> "Client":
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
        return Client(url or (note.api_url if note else ""), key or None)
    except ValueError as exc:
        _refuse(str(exc), code=WRONG_USAGE)


@contextmanager
def _output(
    chosen: list[str], named: "Sequence[NamedPicture]", path: Path | None
) -> "Iterator[tuple[Output, Sequence[NamedPicture]]]":
    """Give what writes the answers, and the pictures that are still to be asked about."""
    if path is not None:
        with _file(path, named) as to_file:
            yield to_file
        return
    from petiole import classified_output as outputs  # noqa: PLC0415 - as above

    kinds = {"--json": outputs.JsonDocument, "--jsonl": outputs.JsonLines, "--csv": outputs.CsvRows}
    if chosen:
        yield kinds[chosen[0]](), named
    elif len(named) == 1:
        yield outputs.OnePicture(), named
    else:
        yield outputs.ManyPictures([each.name for each in named]), named


@contextmanager
def _file(
    path: Path, named: "Sequence[NamedPicture]"
) -> "Iterator[tuple[Output, Sequence[NamedPicture]]]":
    from petiole.output_file import OutputFile  # noqa: PLC0415 - as above

    try:
        file = OutputFile(path)
    except ValueError as exc:
        _refuse(str(exc), code=WRONG_USAGE)
    except OSError as exc:
        _refuse(f"{path} cannot be written: {exc.strerror}", code=WRONG_USAGE)
    missing = [each for each in named if not file.has(each.name)]
    if len(missing) < len(named):
        typer.echo(f"{PROGRAM}: {len(named) - len(missing)} are in {path} already", err=True)
    with file.opened() as output:
        yield output, missing


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
