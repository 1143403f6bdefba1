"""The outputs of the Open Inference Protocol: what is known of each picture, as tensors."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.protocols.pictures import BYTES, FP32, LENGTH
from tasks.documents import ClassifiedTask
from tasks.errors import ServiceUnavailableError

PROBABILITIES, LABEL, VERDICT = OUTPUTS = ("probabilities", "label", "verdict")


@dataclass(frozen=True)
class Output:
    """An output that is wanted: as JSON or bytes; with `best`, so many labels of each picture."""

    name: str
    is_binary: bool = False
    best: int = 0


@dataclass(frozen=True)
class Values:
    """The values of an output, row by row."""

    datatype: str
    shape: tuple[int, ...]
    flat: tuple[float, ...] | tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Return them as the binary extension has them."""
        if self.datatype == FP32:
            return struct.pack(f"<{len(self.flat)}f", *self.flat)
        texts = [str(each).encode() for each in self.flat]
        return b"".join(LENGTH.pack(len(text)) + text for text in texts)


def of(output: Output, tasks: Sequence[ClassifiedTask]) -> Values:
    """Return an output of some pictures.

    Raises:
        ServiceUnavailableError: they were answered by versions of other labels.
    """
    if output.name == LABEL:
        return _texts([[task.predictions[0].label] for task in tasks], is_flat=True)
    if output.name == VERDICT:
        return _texts([[task.verdict or ""] for task in tasks], is_flat=True)
    if output.best:
        return _texts([_ranked(task, output.best) for task in tasks])
    rows = probabilities(tasks)
    return Values(FP32, (len(rows), len(rows[0])), tuple(each for row in rows for each in row))


def probabilities(tasks: Sequence[ClassifiedTask]) -> list[list[float]]:
    """Return the probability of each class of each picture, in the order of the labels.

    Raises:
        ServiceUnavailableError: they were answered by versions of other labels.
    """
    _check_same_labels([len(task.predictions) for task in tasks])
    return [_in_class_order(task) for task in tasks]


def described(output: Output, values: Values) -> dict[str, Any]:
    """Return an output as the JSON of an answer has it."""
    members = {"name": output.name, "datatype": values.datatype, "shape": list(values.shape)}
    if output.is_binary:
        return members | {"parameters": {"binary_data_size": len(values.to_bytes())}}
    return members | {"data": list(values.flat)}


def _in_class_order(task: ClassifiedTask) -> list[float]:
    row = [0.0] * len(task.predictions)
    for each in task.predictions:
        row[each.class_index] = each.probability
    return row


def _ranked(task: ClassifiedTask, n: int) -> list[str]:
    """Return the best labels as Triton writes them: `0.956700:967:espresso`."""
    return [f"{p.probability:f}:{p.class_index}:{p.label}" for p in task.predictions[:n]]


def _texts(rows: Sequence[Sequence[str]], *, is_flat: bool = False) -> Values:
    _check_same_labels([len(row) for row in rows])
    shape = (len(rows),) if is_flat else (len(rows), len(rows[0]))
    return Values(BYTES, shape, tuple(each for row in rows for each in row))


def _check_same_labels(lengths: Sequence[int]) -> None:
    if len(set(lengths)) > 1:
        raise ServiceUnavailableError(
            "a version with other labels took over between these pictures; send them again"
        )
