"""Which variant of a version is the fastest on this machine: measured once, then remembered.

What was measured when the version was published is another machine's; it only decides the order
in which variants are tried where nothing could be measured.
"""

import json
import logging
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import runtimes
from model_store.card import ModelCard, Variant
from model_store.runtimes import REFERENCE

AUTO = "auto"
FOLDER = "choices"
TIMED_PREDICTIONS = 10
CPU_FACTS = ("model name", "flags", "Features", "CPU part")

logger = logging.getLogger(__name__)


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


def milliseconds(predict: Predict, image: NDArray[np.uint8], n: int = TIMED_PREDICTIONS) -> float:
    """Return the median time of `n` predictions of one picture [1, H, W, 3], after a first one."""
    predict(image)
    seconds = []
    for _ in range(n):
        started = time.perf_counter()
        predict(image)
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1000, 2)


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
    remembered = Remembered(card.ref, _machine(), _versions(variants), found)
    path = _path(card, variants, cache_directory)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, json.dumps(asdict(remembered), indent=2) + "\n")
    except OSError as exc:
        # A read-only cache costs each start the measurement, and nothing else.
        logger.warning("choice not remembered", extra={"path": str(path), "reason": str(exc)})


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as stream:
        stream.write(text)
    Path(stream.name).replace(path)


def _path(card: ModelCard, variants: Iterable[Variant], cache_directory: Path) -> Path:
    # The card's text has the digest of every file: two stores may have the same name and version.
    facts = [card.to_json(), _machine(), _versions(variants)]
    digest = sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return cache_directory / FOLDER / f"{card.name}-{card.version}-{digest}.json"


def _versions(variants: Iterable[Variant]) -> dict[str, str]:
    return {name: runtimes.version(name) for name in sorted({v.runtime for v in variants})}


@cache
def _machine() -> str:
    """Return what decides the speed of this kind of CPU: its name and its instructions."""
    return "; ".join([platform.machine(), *_cpu_facts()])


def _cpu_facts() -> Iterator[str]:
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8").partition("\n\n")[0]
    except OSError:
        yield platform.processor()
        return
    for line in first.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in CPU_FACTS:
            yield value.strip()
