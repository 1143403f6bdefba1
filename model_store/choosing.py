"""Which variant of a version is the fastest on this machine: measured once, then remembered.

What was measured when the version was published is another machine's; it only decides the order
in which variants are tried where nothing could be measured.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import machine
from model_store.card import ModelCard, Variant
from model_store.runtimes import REFERENCE

AUTO = "auto"
FOLDER = "choices"
TIMED_PREDICTIONS = 20

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Remembered:
    """Milliseconds for one picture by `runtime:precision`, and what they were measured with."""

    model: str
    machine: str
    runtimes: dict[str, str]
    milliseconds: dict[str, float]


def candidates(card: ModelCard, runtime: str = AUTO) -> tuple[Variant, ...]:
    """Return the variants that may serve, fastest at publishing first.

    Args:
        card: The version.
        runtime: `auto`, a runtime's name, or one variant exactly, as in `openvino:int8`. With
            `auto` the reference comes last: TensorFlow is never the fastest of several, and its
            import costs a worker 10 s and 500 MB.
    """
    may_serve = [variant for variant in card.variants if variant.serves]
    asked = [v for v in may_serve if runtime in (AUTO, v.runtime, v.choice)]
    return tuple(
        sorted(
            asked,
            key=lambda v: (runtime == AUTO and v.runtime == REFERENCE, v.milliseconds_per_image),
        )
    )


def milliseconds(predict: Predict, image: NDArray[np.uint8]) -> list[float]:
    """Return the times of `TIMED_PREDICTIONS` of one picture [1, H, W, 3], after a first one."""
    predict(image)
    found = []
    for _ in range(TIMED_PREDICTIONS):
        started = time.perf_counter()
        predict(image)
        found.append(round((time.perf_counter() - started) * 1000, 2))
    return found


def recall(card: ModelCard, variants: Iterable[Variant], cache_directory: Path) -> dict[str, float]:
    """Return what was measured on this kind of machine, by `choice`; empty if nothing was."""
    try:
        text = _path(card, variants, cache_directory).read_text("utf-8")
        return {choice: float(n) for choice, n in json.loads(text)["milliseconds"].items()}
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        # Not measured yet, or damaged: it is measured again.
        return {}


def remember(
    card: ModelCard, variants: Iterable[Variant], cache_directory: Path, found: dict[str, float]
) -> None:
    """Write the milliseconds where `recall` finds them; of two writers at once the later stays."""
    remembered = Remembered(card.ref, machine.description(), machine.versions(variants), found)
    path = _path(card, variants, cache_directory)
    machine.write(path, json.dumps(asdict(remembered), indent=2) + "\n", what="choice")


def _path(card: ModelCard, variants: Iterable[Variant], cache_directory: Path) -> Path:
    return machine.notes(card, variants, cache_directory / FOLDER)
