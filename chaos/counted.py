"""A runtime that writes down every prediction: executions are counted where the work is done.

It wraps OpenVINO and is found like the runtime of any other package, through an entry point. It
works for a known time, and does to its process what a harmful picture asks for.
"""

import os
import signal
from collections import Counter
from pathlib import Path
from time import sleep

import numpy as np
from numpy.typing import NDArray

from chaos.pictures import Harm, fingerprint, harm_of
from model_store.card import ModelCard
from model_store.runtimes import LoadedArtifact
from model_store.runtimes.openvino import OpenVINORuntime

NAME = "counted"
EXECUTIONS = "CHAOS_EXECUTIONS"
WORK_SECONDS = "CHAOS_WORK_SECONDS"
ENTRY_POINTS = f"[petiole.runtimes]\n{NAME} = {__name__}:CountedRuntime\n"
METADATA = "Metadata-Version: 2.1\nName: petiole-chaos\nVersion: 1.0\n"


class CountedArtifact:
    """A network whose every prediction leaves a line in the file of executions."""

    def __init__(self, inner: LoadedArtifact) -> None:
        """Wrap a loaded artifact."""
        self._inner = inner

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, labels] of images [N, H, W, 3]."""
        for image in images:
            _note(image)
            _harm(harm_of(image))
            sleep(float(os.environ.get(WORK_SECONDS, "0")))
        return self._inner.predict(images)


class CountedRuntime(OpenVINORuntime):
    """OpenVINO, counted."""

    def load(self, artifact: Path, card: ModelCard, *, threads: int) -> CountedArtifact:  # type: ignore[override]
        """Return the network compiled for this CPU, wrapped."""
        return CountedArtifact(super().load(artifact, card, threads=threads))


def register(directory: Path) -> None:
    """Make `directory`, once it is in PYTHONPATH, a place where the runtime is found."""
    package = directory / "petiole_chaos-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text(METADATA)
    (package / "entry_points.txt").write_text(ENTRY_POINTS)


def executions(file: Path) -> Counter[str]:
    """Return how often each fingerprint was predicted."""
    return Counter(file.read_text().split()) if file.exists() else Counter()


def _note(image: NDArray[np.uint8]) -> None:
    line = f"{fingerprint(image)}\n".encode()
    # One write in append mode: lines of several processes do not mix, and a kill loses none.
    descriptor = os.open(os.environ[EXECUTIONS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line)
    os.close(descriptor)


def _harm(harm: Harm) -> None:
    if harm is Harm.SEGFAULT:
        os.kill(os.getpid(), signal.SIGSEGV)
    if harm is Harm.MEMORY:
        raise MemoryError
    if harm is Harm.ENDLESS:
        # As C code does that never comes back: no signal handler of Python runs.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
        while True:
            sleep(60)
