"""From a command line and a TOML file to `TrainingSettings`; both have the names of its fields.

Flags of retrain.py that mean nothing any more are accepted and say why.
"""

import argparse
import sys
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from model_store import command_line
from training import flag_groups
from training.errors import SettingsError
from training.settings import TrainingSettings, settings_of

WITHOUT_MEANING = {
    "intermediate_output_graphs_dir": "training takes seconds, so nothing is written in between",
    "intermediate_store_frequency": "training takes seconds, so nothing is written in between",
    "checkpoint_path": "a run that was killed goes on by itself when it is started again",
    "test_batch_size": "all test pictures are always used",
    "validation_batch_size": "all validation pictures are always used",
    "logging_verbosity": "the terminal shows the phases, events.jsonl everything",
    "architecture": "use --backbone",
    "model_dir": "weights come from packages; use --backbone",
}

COMMENT_WIDTH = 96

_DESCRIPTION = """
Train a model on a folder of pictures, judge it, and publish it so that it serves.
"""


@dataclass(frozen=True)
class CommandLine:
    """What a command line says.

    Attributes:
        settings: Those of the run.
        ignored: A sentence for each flag that means nothing any more.
        enqueue: Whether a training worker shall do it.
    """

    settings: TrainingSettings
    ignored: tuple[str, ...]
    enqueue: bool


def parse(arguments: Sequence[str], *, program: str) -> CommandLine:
    """Return what a command line says.

    Raises:
        SettingsError: a flag or a line of the file is wrong; the message names it.
    """
    given = vars(_parser(program).parse_args(arguments))
    config, enqueue = given.pop("config", None), given.pop("enqueue", False)
    values = {**(_from_file(Path(config)) if config else {}), **given}
    ignored = (f"{name} is ignored: {WITHOUT_MEANING[name]}" for name in values if _idle(name))
    wanted = {name: value for name, value in values.items() if not _idle(name)}
    if "image_dir" not in wanted:
        raise SettingsError("image_dir is missing; give --image_dir FOLDER, an archive or a .csv")
    return CommandLine(settings_of(wanted), tuple(ignored), enqueue)


def as_toml() -> str:
    """Return a configuration file that lists every field with its meaning and default."""
    return "\n\n".join(_toml(name, field) for name, field in _fields()) + "\n"


def _fields() -> list[tuple[str, FieldInfo]]:
    return list(TrainingSettings.model_fields.items())


def _parser(program: str, *, whole: bool = False) -> command_line.Parser:
    parser = command_line.Parser(
        program,
        usage=f"{program} --image_dir FOLDER [flags]",
        description=_DESCRIPTION,
        formatter_class=flag_groups.Formatter,
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    flags = flag_groups.Flags(parser, whole=whole)
    flags.place_others(flag_groups.WITHOUT_MEANING, tuple(WITHOUT_MEANING))
    _add_helps(parser, program)
    _add_own(flags)
    for name, field in _fields():
        flags.add(*_spellings(name), dest=name, **_options(field))
    for name, reason in WITHOUT_MEANING.items():
        flags.add(*_spellings(name), dest=name, metavar="", help=f"Nothing: {reason}.")
    parser.epilog = _epilog(parser, flags)
    return parser


def _epilog(parser: command_line.Parser, flags: flag_groups.Flags) -> str:
    number = len(flags.hidden)
    more = f"`{parser.call('--help-all')}` shows {number} more flags. " if number else ""
    return f"{more}Each may be written with dashes, too: --image-dir."


def _add_helps(parser: command_line.Parser, program: str) -> None:
    parser.add_argument("-h", "--help", action="help", help="Show the flags that most need.")
    parser.add_argument(
        *("--help-all", "--help_all"),
        action=flag_groups.HelpAll,
        nargs=0,
        whole=lambda: _parser(program, whole=True),
        help="Show every flag.",
    )


def _add_own(flags: flag_groups.Flags) -> None:
    """Add what is no setting of a run."""
    text = "TOML file with lines `name = value`; flags go before them."
    flags.add("--config", dest="config", metavar="FILE", help=text)
    text = "Print such a file with every field, its meaning and its default, and stop."
    spellings = _spellings("print_config")
    flags.add(*spellings, dest="print_config", action=_PrintConfig, nargs=0, help=text)
    text = "Let a training worker do it (make run with PETIOLE_UP_TRAINING=1 has one)."
    flags.add("--enqueue", dest="enqueue", action="store_true", help=text)


class _PrintConfig(argparse.Action):
    """Prints the configuration file and ends the program, as `--help` does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        sys.stdout.write(as_toml())
        parser.exit()


def _spellings(name: str) -> list[str]:
    return list(dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"]))


def _options(field: FieldInfo) -> dict[str, Any]:
    text = f"{field.description} {_default(field)}".replace("%", "%%").strip()
    kind = _kind(field.annotation)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction, "help": text}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind), "help": text}
    # A Path is made by the settings, which see what was written.
    return {"type": str if kind is Path else kind, "metavar": kind.__name__.upper(), "help": text}


def _default(field: FieldInfo) -> str:
    if field.is_required() or (default := _value(field)) in (None, "", False):
        return ""
    return f"(default: {default})"


def _value(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _kind(annotation: Any) -> Any:
    """Return the plain type of `X | None` and of `Annotated[X, …]`."""
    if get_origin(annotation) in (Union, UnionType):
        return _kind(next(one for one in get_args(annotation) if one is not type(None)))
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values: Mapping[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError(f"config is {path}, which cannot be read as TOML: {exc}") from exc
    known = TrainingSettings.model_fields.keys() | WITHOUT_MEANING.keys()
    if unknown := sorted(values.keys() - known):
        raise SettingsError(f"{path} has {', '.join(unknown)}, which training does not know")
    return dict(values)


def _idle(name: str) -> bool:
    return name in WITHOUT_MEANING


def _toml(name: str, field: FieldInfo) -> str:
    lines = textwrap.wrap(str(field.description), COMMENT_WIDTH)
    comment = "\n".join(f"# {line}" for line in lines)
    value = None if field.is_required() else _value(field)
    if isinstance(value, bool):
        return f"{comment}\n{name} = {str(value).lower()}"
    if isinstance(value, int | float):
        return f"{comment}\n{name} = {value}"
    return f'{comment}\n{"# " if value is None else ""}{name} = "{value or ""}"'
