"""The limit of the machine: processes that read, decode, predict and rank, and do nothing else.

Same model, same runtime, same threads as the worker's children.
"""

import multiprocessing
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from model_store import ModelStore
from model_store.settings import ModelSettings, available_cores

if TYPE_CHECKING:
    from model_store.serving import ServedModel

STAGES = ("read", "decode", "predict", "rank")
TOP_K = 5


@dataclass(frozen=True)
class LoopResult:
    """What all processes of the loop did together.

    Attributes:
        pictures: Pictures classified.
        seconds: Wall-clock time of the loop.
        cpu_ms: CPU milliseconds a picture, by stage.
    """

    pictures: int
    seconds: float
    cpu_ms: dict[str, float]

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds


class BareLoop:
    """One process a core, each with a warm model, started once and run several times."""

    def __init__(self, images: Sequence[Path]) -> None:
        """Start the processes and wait until every model is warm."""
        self._ends: list[Connection] = []
        context = multiprocessing.get_context("spawn")
        for _ in range(available_cores()):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, list(images)), daemon=True)
            process.start()
            self._ends.append(ours)
        self.runtime = {str(end.recv()) for end in self._ends}.pop()

    @property
    def variant(self) -> str:
        """The model's variant as `PETIOLE_MODELS_RUNTIME` names it, for others to run the same."""
        return self.runtime.rpartition(" on ")[2].replace(" ", ":")

    def run(self, seconds: float, *, batch: int = 1) -> LoopResult:
        """Classify for `seconds` in all processes at once, so many pictures in each prediction."""
        for end in self._ends:
            end.send((seconds, batch))
        results: list[tuple[int, float, list[float]]] = [end.recv() for end in self._ends]
        pictures = sum(result[0] for result in results)
        totals = [sum(result[2][i] for result in results) for i in range(len(STAGES))]
        cpu_ms = {s: 1000 * t / pictures for s, t in zip(STAGES, totals, strict=True)}
        return LoopResult(pictures, max(result[1] for result in results), cpu_ms)

    def best_labels(self) -> list[str]:
        """Return the best label of each picture, which every server's answers must agree with."""
        end = self._ends[0]
        end.send(None)
        labels: list[str] = end.recv()
        return labels

    def stop(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.close()


def _serve(end: Connection, images: list[Path]) -> None:
    # Imported here: NumPy and the runtime belong to the loop's processes.
    from model_store import serving  # noqa: PLC0415

    settings = ModelSettings()
    store = ModelStore.of(settings)
    threads = settings.threads_of_child(available_cores())
    model = serving.load(store, settings.default_model, runtime=settings.runtime, threads=threads)
    model.classify(images[0].read_bytes(), k=TOP_K)
    end.send(f"{model.card.ref} on {model.runtime} {model.variant.precision}")
    # Whoever started this process closes the other end when there is nothing more to do.
    with suppress(EOFError):
        while True:
            wanted = end.recv()
            end.send(_loop(model, images, *wanted) if wanted else _best_labels(model, images))


def _best_labels(model: "ServedModel", images: list[Path]) -> list[str]:
    return [model.classify(image.read_bytes(), k=1)[0].label for image in images]


def _loop(
    model: "ServedModel", images: list[Path], seconds: float, batch: int
) -> tuple[int, float, list[float]]:
    import numpy as np  # noqa: PLC0415 - see `_serve`

    cpu, n, begun = [0.0] * len(STAGES), 0, perf_counter()
    while perf_counter() - begun < seconds:
        marks = [process_time()]
        uploads = [images[(n + i) % len(images)].read_bytes() for i in range(batch)]
        marks.append(process_time())
        prepared = np.stack([model.prepare(upload) for upload in uploads])
        marks.append(process_time())
        rows = model.predict(prepared)
        marks.append(process_time())
        for probabilities in rows:
            model.rank(probabilities, k=TOP_K)
        marks.append(process_time())
        cpu = [c + b - a for c, a, b in zip(cpu, marks, marks[1:], strict=False)]
        n += batch
    return n, perf_counter() - begun, cpu
