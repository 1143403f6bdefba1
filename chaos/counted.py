"""A runtime that writes down every prediction: executions are counted where the work is done.

It wraps OpenVINO and is found like the runtime of any other package, through an entry point. It
works for a known time, and does to its process what a harmful picture asks for.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chaos import executions
from model_store.card import ModelCard
from model_store.runtimes import LoadedArtifact
from model_store.runtimes.openvino import OpenVINORuntime

NAME = "counted"
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
            executions.work(image)
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
