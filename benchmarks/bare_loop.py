"""The limit of the machine: processes that read, decode, predict and rank, and do nothing else.

Same model, same runtime, same threads as the worker's children.
"""

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time

from model_store import ModelStore
from model_store.settings import ModelSettings, available_cores

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

    def run(self, seconds: float, *, batch: int = 1) -> LoopResult:
        """Classify for `seconds` in all processes at once, so many pictures in each prediction."""
        for end in self._ends:
            end.send((seconds, batch))
        results: list[tuple[int, float, list[float]]] = [end.recv() for end in self._ends]
        pictures = sum(result[0] for result in results)
        totals = [sum(result[2][i] for result in results) for i in range(len(STAGES))]
        cpu_ms = {s: 1000 * t / pictures for s, t in zip(STAGES, totals, strict=True)}
        return LoopResult(pictures, max(result[1] for result in results), cpu_ms)

    def stop(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.send(None)


def _serve(end: Connection, images: list[Path]) -> None:
    # Imported here: NumPy and the runtime belong to the loop's processes.
    from model_store import serving  # noqa: PLC0415

    settings = ModelSettings()
    store = ModelStore.of(settings)
    threads = settings.threads_of_child(available_cores())
    model = serving.load(store, settings.default_model, runtime=settings.runtime, threads=threads)
    model.classify(images[0].read_bytes(), k=TOP_K)
    end.send(f"{model.card.ref} on {model.runtime} {model.variant.precision}")
    while (wanted := end.recv()) is not None:
        end.send(_loop(model, images, *wanted))


def _loop(
    model: object, images: list[Path], seconds: float, batch: int
) -> tuple[int, float, list[float]]:
    import numpy as np  # noqa: PLC0415 - see `_serve`

    from model_store.serving import ServedModel  # noqa: PLC0415 - see `_serve`

    assert isinstance(model, ServedModel)  # noqa: S101 - narrows the type for mypy
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
