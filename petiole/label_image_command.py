"""`petiole label-image`: classifies pictures without any server, from the store or a frozen graph.

It takes files, folders, and `-` for a picture that is piped in. Labels go to stdout; a picture that
cannot be classified is one line on stderr. Exit codes: 0 done, 1 failed, 2 wrong usage.

`petiole label_image` is the same and prints what TensorFlow's label_image.py printed, whose flags
work as they did.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from model_store import ModelStoreError, command_line, heavy
from model_store.predictions import Doubts, Wanted
from model_store.settings import ModelSettings
from petiole import labelled, named_pictures, picture_archives
from petiole.console import USAGE_ERRORS, open_store, progress, why_no_file
from petiole.labelled import Labelled, Ranked
from petiole.named_pictures import NamedPicture, NoPictureError
from training.errors import SettingsError, TrainingError

SUCCEEDED, FAILED, WRONG_USAGE = 0, 1, 2
AS_IT_WAS = "label_image"
TOP_K = 5

_DESCRIPTION = """
Classify pictures without any server: files, folders, or - for one that is piped in.
"""

Classify = Callable[[bytes], tuple[Ranked, Doubts]]


def main(arguments: Sequence[str], *, name: str = AS_IT_WAS) -> int:
    """Do what the arguments say and return the exit code; by `name` the output is chosen."""
    options = _parser(name).parse_args(arguments)
    words = [*options.pictures, *filter(None, [options.image])]
    try:
        pictures = _pictures(words)
        options.top_k = options.top_k or (1 if name != AS_IT_WAS and len(pictures) > 1 else TOP_K)
        with progress():
            classify = _from_graph(options) if options.graph else _from_store(options)
            found = [_label(picture, classify, name) for picture in pictures]
    except (SettingsError, NoPictureError, *USAGE_ERRORS) as exc:
        return _refuse(name, str(exc), WRONG_USAGE)
    except (ModelStoreError, TrainingError) as exc:
        return _refuse(name, str(exc), FAILED)
    return _print(found, name, as_json=options.as_json)


def _pictures(words: Sequence[str]) -> list[NamedPicture]:
    """Return the pictures that are named; a file is looked at only when it is its turn.

    Raises:
        SettingsError: none is.
        NoPictureError: a folder has none, or nothing is piped in.
    """
    if not words:
        raise SettingsError("no picture is given; name files or folders, or - for a pipe")
    return [picture for word in words for picture in _pictures_of(word)]


def _pictures_of(word: str) -> list[NamedPicture]:
    path = Path(word)
    has_several = path.is_dir() or (path.is_file() and picture_archives.is_archive(path))
    if word == named_pictures.STANDARD_INPUT or has_several:
        return named_pictures.named([word])
    return [NamedPicture(word, word)]


def _parser(name: str) -> argparse.ArgumentParser:
    parser = command_line.Parser(f"petiole {name}", description=_DESCRIPTION, allow_abbrev=False)
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PICTURE", help="Files, folders, or -.")
    add("--image", help="One more picture, as label_image.py had it.")
    add("--model", default=ModelSettings().default_model, help="name, name@version or name@alias.")
    text = "How many labels (default: 5; of several pictures 1, except in label_image)."
    add("--top_k", "--top-k", type=int, help=text)
    add("--json", action="store_true", dest="as_json", help="Print one JSON document.")
    old = parser.add_argument_group("a frozen graph instead of the store, as label_image.py had it")
    old.add_argument("--graph", type=Path, help="Frozen graph (.pb).")
    old.add_argument("--labels", type=Path, help="Its labels, one a line.")
    for flag, value in (("input_layer", "Placeholder"), ("output_layer", "final_result")):
        old.add_argument(f"--{flag}", default=value, help=f"(default: {value})")
    for flag, size in (("input_height", 224), ("input_width", 224)):
        old.add_argument(f"--{flag}", type=int, default=size, help=f"Pixels (default: {size}).")
    old.add_argument("--input_mean", type=float, default=0.0, help="Is subtracted (default: 0).")
    old.add_argument("--input_std", type=float, default=255.0, help="Divides (default: 255).")
    return parser


def _from_store(options: argparse.Namespace) -> Classify:
    # Imported here: NumPy and a runtime, which a wrong flag should not wait for.
    from model_store import serving  # noqa: PLC0415

    model = serving.load(open_store(), options.model)
    wanted = Wanted(options.top_k)

    def classify(upload: bytes) -> tuple[Ranked, Doubts]:
        (answer,) = model.answer(model.prepare(upload)[None], wanted)
        return [(p.label, p.probability) for p in answer.predictions], answer.doubts

    return classify


def _from_graph(options: argparse.Namespace) -> Classify:
    if options.labels is None:
        raise SettingsError("labels is missing; give --labels FILE with one label a line")
    if options.input_std == 0:
        raise SettingsError("input_std is 0, and pixels are divided by it; 255 gives 0 to 1")
    heavy.prepare()
    from training.publishing import frozen_graph  # noqa: PLC0415 - TensorFlow

    names = ("input_layer", "output_layer", "input_height", "input_width", "input_mean")
    conventions = frozen_graph.Conventions(
        **{name: getattr(options, name) for name in (*names, "input_std")}
    )
    function = frozen_graph.read(options.graph, conventions)
    labels = _read_labels(options.labels)

    def classify(upload: bytes) -> tuple[Ranked, Doubts]:
        scores = frozen_graph.classify(upload, function, conventions)
        if len(scores) != len(labels):
            raise SettingsError(
                f"{options.labels} has {len(labels)} labels; the graph gives {len(scores)} scores"
            )
        best = scores.argsort()[::-1][: options.top_k]
        return [(labels[i], float(scores[i])) for i in best], Doubts()

    return classify


def _label(named: NamedPicture, classify: Classify, name: str) -> Labelled:
    try:
        ranked, doubts = classify(_upload(named, name))
        return Labelled(named.name, ranked, doubts=doubts)
    except OSError as exc:
        return Labelled(named.name, [], f"cannot be read: {exc.strerror or exc}")
    except (ModelStoreError, NoPictureError) as exc:
        return Labelled(named.name, [], str(exc))


def _upload(named: NamedPicture, name: str) -> bytes:
    if isinstance(named.picture, bytes):
        return named.picture
    if isinstance(named.picture, picture_archives.Member):
        return named.picture.read_bytes()
    if reason := why_no_file(str(named.picture), command=name):
        raise NoPictureError([reason])
    return Path(named.picture).read_bytes()


def _print(found: Sequence[Labelled], name: str, *, as_json: bool) -> int:
    if as_json:
        documents = [each.to_dict() for each in found]
        typer.echo(json.dumps({"pictures": documents}, indent=2, ensure_ascii=False))
    else:
        lines = labelled.as_it_was if name == AS_IT_WAS else labelled.short
        for line in lines(found):
            typer.echo(line)
    if name == AS_IT_WAS and not as_json:
        # Not among its lines, which programs read as labels with their scores.
        for line in labelled.remarks(found):
            typer.echo(f"petiole {name}: {line}", err=True)
    problems = [each for each in found if each.problem]
    for each in problems:
        _refuse(name, f"{each.path}: {each.problem}", FAILED)
    return FAILED if problems else SUCCEEDED


def _refuse(name: str, text: str, code: int) -> int:
    typer.echo(f"petiole {name}: {text}", err=True)
    return code


def _read_labels(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"labels is {path}, which cannot be read as UTF-8: {exc}") from exc
