"""A service whose picture is an uploaded file: `bentoml serve`."""

import os
from pathlib import Path
from typing import Any

import bentoml

from benchmarks.peers.model import TOP_K, document, load

WORKERS = int(os.environ.get("PEER_WORKERS", "2"))


@bentoml.service(workers=WORKERS, traffic={"timeout": 60})
class Classifier:
    """One model in each worker."""

    def __init__(self) -> None:
        """Load the model."""
        self.model = load()

    @bentoml.api  # type: ignore[untyped-decorator]
    def classify(self, image: Path) -> dict[str, Any]:
        """Answer with the labels of the form's file."""
        return document(self.model.classify(image.read_bytes(), k=TOP_K))
