"""Wrong usage in one line: what is wrong, what may be meant, and where all of it is said."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.exceptions import TyperException

from model_store import command_line

PROGRAM = command_line.PROGRAM
WRONG_USAGE = 2


def run(app: typer.Typer) -> int:
    """Run the command line and return its exit code; wrong usage is a line on stderr."""
    try:
        return int(app(prog_name=PROGRAM, standalone_mode=False) or 0)
    except TyperException as exc:
        typer.echo(_sentence(exc), err=True)
        return WRONG_USAGE
    except typer.Abort:
        typer.echo(f"{PROGRAM}: nothing was done", err=True)
        return 1


def _sentence(exc: TyperException) -> str:
    context: Any = getattr(exc, "ctx", None)
    said = exc.format_message()
    if context is None or "\n" in said:
        # A command without its arguments, whose help this is.
        return said
    called = context.command_path
    sentence = _explained(exc, context, said)
    if not sentence.endswith("?"):
        help_ = command_line.command(*called.split()[1:], "--help")
        sentence = f"{sentence.rstrip('.')}; `{help_}` says more"
    return f"{called}: {sentence}"


def _explained(exc: TyperException, context: Any, said: str) -> str:
    if option := getattr(exc, "option_name", ""):
        known = [name for param in context.command.get_params(context) for name in param.opts]
        return f"there is no {option}{command_line.did_you_mean(option, known)}"
    if said.startswith("No such command"):
        word = said.split("'")[1]
        known = list(_below(context.command))
        return f"there is no command {word}{command_line.did_you_mean(word, known)}"
    return _small(said)


def _below(command: Any, *path: str) -> Iterator[str]:
    """Yield the words of every command under one, as in `models install`."""
    for name, each in getattr(command, "commands", {}).items():
        yield " ".join([*path, name])
        yield from _below(each, *path, name)


def _small(sentence: str) -> str:
    """Return a sentence as it goes on after a colon."""
    return sentence[:1].lower() + sentence[1:].replace("'", "")
