"""A pipeline of two stages, as mosec's documentation splits decode from inference."""

import json
import os
from typing import Any

import numpy as np
from mosec import Server, Worker
from numpy.typing import NDArray

from benchmarks.peers.model import TOP_K, document, load

PROCESSES = int(os.environ.get("PEER_WORKERS", "2"))
MAX_BATCH_SIZE = 8
MAX_WAIT_MS = 1


class Decode(Worker):  # type: ignore[misc]
    """The body to pixels."""

    def __init__(self) -> None:
        """Load the model for its preprocessing."""
        super().__init__()
        self.model = load()

    def deserialize(self, data: bytes) -> bytes:
        """Take the body as it is."""
        return data

    def forward(self, data: bytes) -> NDArray[np.uint8]:
        """Return the pixels [H, W, 3]."""
        return self.model.prepare(data)


class Predict(Worker):  # type: ignore[misc]
    """Pixels to labels, several pictures at once."""

    def __init__(self) -> None:
        """Load the model."""
        super().__init__()
        self.model = load()

    def forward(self, data: list[NDArray[np.uint8]]) -> list[dict[str, Any]]:
        """Return the answers, picture for picture."""
        rows = self.model.predict(np.stack(data))
        return [document(self.model.rank(row, k=TOP_K)) for row in rows]

    def serialize(self, data: dict[str, Any]) -> bytes:
        """Return the answer as JSON."""
        return json.dumps(data).encode()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Decode, num=PROCESSES)
    server.append_worker(
        Predict, num=PROCESSES, max_batch_size=MAX_BATCH_SIZE, max_wait_time=MAX_WAIT_MS
    )
    server.run()
