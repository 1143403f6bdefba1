"""`petiole label_image`: classifies pictures without any server, from the store or a frozen graph.

The flags of TensorFlow's label_image.py work as they did. Labels go to stdout; a picture that
cannot be classified is one line on stderr. Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from model_store import ModelStoreError, command_line, heavy
from model_store.settings import ModelSettings
from petiole.console import USAGE_ERRORS, open_store, progress, why_no_file
from training.errors import SettingsError, TrainingError

SUCCEEDED, FAILED, WRONG_USAGE = 0, 1, 2
PROGRAM = "petiole label_image"

Ranked = list[tuple[str, float]]
"""Labels with their scores, best first."""

Classify = Callable[[bytes], Ranked]


@dataclass(frozen=True)
class _Labelled:
    """What came of one picture: labels, or the reason why there are none."""

    path: str
    ranked: Ranked
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        if self.problem:
            return {"path": self.path, "error": self.problem}
        predictions = [{"label": label, "probability": score} for label, score in self.ranked]
        return {"path": self.path, "predictions": predictions}


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say and return the exit code."""
    options = _parser().parse_args(arguments)
    pictures = [*options.pictures, *filter(None, [options.image])]
    try:
        if not pictures:
            raise SettingsError("no picture is given; name one or more files")
        with progress():
            classify = _from_graph(options) if options.graph else _from_store(options)
            labelled = [_label(picture, classify) for picture in pictures]
    except (SettingsError, *USAGE_ERRORS) as exc:
        return _refuse(str(exc), WRONG_USAGE)
    except (ModelStoreError, TrainingError) as exc:
        return _refuse(str(exc), FAILED)
    return _print(labelled, as_json=options.as_json)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(PROGRAM, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PICTURE")
    add("--image", help="One more picture, as label_image.py had it.")
    add("--model", default=ModelSettings().default_model, help="name, name@version or name@alias.")
    add("--top_k", "--top-k", type=int, default=5, help="How many labels (default: 5).")
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
    k = min(options.top_k, len(model.card.labels))
    return lambda upload: [(p.label, p.probability) for p in model.classify(upload, k=k)]


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

    def classify(upload: bytes) -> Ranked:
        scores = frozen_graph.classify(upload, function, conventions)
        if len(scores) != len(labels):
            raise SettingsError(
                f"{options.labels} has {len(labels)} labels; the graph gives {len(scores)} scores"
            )
        best = scores.argsort()[::-1][: options.top_k]
        return [(labels[i], float(scores[i])) for i in best]

    return classify


def _label(picture: str, classify: Classify) -> _Labelled:
    if reason := why_no_file(picture, command="label_image"):
        return _Labelled(picture, [], reason)
    path = Path(picture)
    try:
        return _Labelled(str(path), classify(path.read_bytes()))
    except OSError as exc:
        return _Labelled(str(path), [], f"cannot be read: {exc.strerror}")
    except ModelStoreError as exc:
        return _Labelled(str(path), [], str(exc))


def _print(labelled: Sequence[_Labelled], *, as_json: bool) -> int:
    if as_json:
        documents = [each.to_dict() for each in labelled]
        typer.echo(json.dumps({"pictures": documents}, indent=2, ensure_ascii=False))
    else:
        for line in _lines(labelled):
            typer.echo(line)
    problems = [each for each in labelled if each.problem]
    for each in problems:
        _refuse(f"{each.path}: {each.problem}", FAILED)
    return FAILED if problems else SUCCEEDED


def _lines(labelled: Sequence[_Labelled]) -> Iterator[str]:
    for each in labelled:
        if len(labelled) > 1 and each.ranked:
            yield f"{each.path}:"
        yield from (f"{label} {score}" for label, score in each.ranked)


def _refuse(text: str, code: int) -> int:
    typer.echo(f"{PROGRAM}: {text}", err=True)
    return code


def _read_labels(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"labels is {path}, which cannot be read as UTF-8: {exc}") from exc
