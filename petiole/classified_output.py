"""What became of pictures, on stdout: for people, as JSON, as JSON lines, as CSV."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import typer

from petiole.client import ClassifiedTask, Outcome, PetioleError, Prediction
from petiole.client.answers import Neighbour

SMALLEST_SHARE = 0.001
LONGEST_NAME = 60
COLUMNS = (
    *("path", "rank", "label", "class_index", "probability"),
    *("model", "model_version", "task_id", "error", "detail", "verdict", "neighbours"),
)


Write = Callable[[str], None]
"""Writes a line."""


class Output(Protocol):
    """Is told of each picture in turn, then of the end."""

    def add(self, name: str, outcome: Outcome[Any]) -> None:
        """Take what became of one picture."""

    def end(self) -> None:
        """Write what is still to be written."""


class OnePicture:
    """For people: the labels of a single picture, a line each."""

    def add(self, name: str, outcome: Outcome[Any]) -> None:
        """Print the labels, best first."""
        if outcome.task is None:
            return
        for rank, prediction in enumerate(outcome.task.predictions):
            line = f"{share(prediction.probability)}  {printable(prediction.label)}"
            _print(typer.style(line, bold=True) if rank == 0 else line)
        task = outcome.task
        if said := doubts(task.verdict, task.label_set, task.novelty):
            _print(said)
        if alike := looks_like(task.neighbours or ()):
            _print(f"looks like {alike}")
        footer = f"{task.model}@{task.model_version}, {task.timings_ms.total:.0f} ms"
        _print(typer.style(footer, dim=True))
        for warning in task.warnings or ():
            _print(typer.style(f"mind that {warning}", fg="yellow"))

    def end(self) -> None:
        """Write nothing more."""


class ManyPictures:
    """For people: a line for each picture."""

    def __init__(self, names: Sequence[str]) -> None:
        """Align by the longest of the names."""
        self._width = name_width(names)

    def add(self, name: str, outcome: Outcome[Any]) -> None:
        """Print the name, the best label, and those that were asked for beyond it."""
        if outcome.task is None:
            return
        task = outcome.task
        said = doubt_in_short(task.verdict, task.label_set)
        mind = "".join(f"  ({text})" for text in (*filter(None, [said]), *(task.warnings or ())))
        _print(f"{printable(name):{self._width}}  {_labels(task.predictions)}{mind}")

    def end(self) -> None:
        """Write nothing more."""


class JsonLines:
    """A JSON object for each picture, a line each."""

    def __init__(self, write: Write = typer.echo) -> None:
        """Write each line with `write`."""
        self._write = write

    def add(self, name: str, outcome: Outcome[Any]) -> None:
        """Write the object."""
        self._write(json.dumps(document_of(name, outcome)))

    def end(self) -> None:
        """Write nothing more."""


class JsonDocument:
    """One JSON document, when all are known."""

    def __init__(self) -> None:
        """Begin without pictures."""
        self._documents: list[dict[str, Any]] = []

    def add(self, name: str, outcome: Outcome[Any]) -> None:
        """Keep the picture's object."""
        self._documents.append(document_of(name, outcome))

    def end(self) -> None:
        """Print the document."""
        typer.echo(json.dumps({"pictures": self._documents}, indent=2))


class CsvRows:
    """A row for each label; for a picture without any, a row with its error."""

    def __init__(self, write: Write = typer.echo, *, is_begun: bool = False) -> None:
        """Write each row with `write`, first the names of the columns if none `is_begun`."""
        self._write = write
        if not is_begun:
            self._print(COLUMNS)

    def add(self, name: str, outcome: Outcome[Any]) -> None:
        """Write the rows of the picture."""
        if outcome.task is None:
            error = outcome.error or PetioleError()
            self._print((printable(name), *[""] * 7, error.slug, str(error), "", ""))
            return
        task = outcome.task
        ends = ("", "", task.verdict or "", looks_like(task.neighbours or ()))
        for rank, prediction in enumerate(task.predictions, start=1):
            self._print((printable(name), rank, *_columns(prediction, task), *ends))
        if not task.predictions:
            model = (task.model, task.model_version, task.task_id)
            self._print((printable(name), *[""] * 4, *model, *ends))

    def end(self) -> None:
        """Write nothing more."""

    def _print(self, row: Sequence[object]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        self._write(line.getvalue())


def document_of(name: str, outcome: Outcome[Any]) -> dict[str, Any]:
    """Return what became of a picture as JSON has it: the service's document, or its error."""
    if outcome.task is not None:
        return {"path": name, **asdict(outcome.task)}
    error = outcome.error or PetioleError()
    return {"path": name, "error": {"slug": error.slug, "detail": str(error)}}


def looks_like(neighbours: Sequence[Neighbour]) -> str:
    """Return training pictures in words: label, name or number, distance."""
    return ", ".join(
        f"{printable(each.label)} ({printable(each.name or f'no. {each.number}')},"
        f" {each.distance:.3f})"
        for each in neighbours
    )


def printable(text: str) -> str:
    """Return a text without what could move a terminal's cursor, or is no text at all."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def doubts(
    verdict: str | None, label_set: Sequence[str] | None, novelty: float | None
) -> str | None:
    """Return in a sentence how far an answer can be trusted; None where nobody vouches for it."""
    if verdict == "unknown":
        strange = "" if novelty is None else f"; {100 * novelty:.1f} % of its own look as strange"
        return f"unknown: like nothing that it was trained on{strange}"
    if verdict == "uncertain" and label_set and len(label_set) > 1:
        return f"uncertain: {' or '.join(map(printable, label_set))}"
    return verdict


def doubt_in_short(verdict: str | None, label_set: Sequence[str] | None) -> str | None:
    """Return the same in few words, and nothing of an answer that is confident."""
    return None if verdict == "confident" else (doubts(verdict, label_set, None) or None)


def _labels(predictions: Sequence[Prediction]) -> str:
    if not predictions:
        return "no label is probable enough"
    best, *others = predictions
    more = "".join(
        f",  {share(each.probability).strip()} {printable(each.label)}" for each in others
    )
    return f"{share(best.probability)}  {typer.style(printable(best.label), bold=True)}{more}"


def _columns(prediction: Prediction, task: ClassifiedTask) -> tuple[object, ...]:
    label = (prediction.label, prediction.class_index, prediction.probability)
    return (*label, task.model, task.model_version, task.task_id)


def name_width(names: Sequence[str]) -> int:
    """Return the width of a column of names: that of the longest, within a limit."""
    return min(LONGEST_NAME, max(len(printable(name)) for name in names))


def share(probability: float) -> str:
    """Return a probability in seven characters."""
    return "< 0.1 %" if probability < SMALLEST_SHARE else f"{100 * probability:5.1f} %"


def _print(line: str) -> None:
    # None leaves it to stdout: colours on a terminal, none elsewhere (https://no-color.org).
    typer.echo(line, color=False if os.environ.get("NO_COLOR") else None)
