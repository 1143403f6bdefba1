"""A LitAPI with batches, whose picture is an uploaded file."""

import os
import sys
from typing import Any

import litserve
import numpy as np
from fastapi import Request
from numpy.typing import NDArray

from benchmarks.peers.model import TOP_K, document, load

WORKERS = int(os.environ.get("PEER_WORKERS", "2"))
MAX_BATCH_SIZE = 8
BATCH_SECONDS = 0.001


class Classifier(litserve.LitAPI):  # type: ignore[misc]
    """The four verbs of LitServe."""

    def setup(self, device: str) -> None:
        """Load the model in a worker."""
        self.model = load()

    def decode_request(self, request: Request) -> NDArray[np.uint8]:
        """Return the pixels [H, W, 3] of the form's file."""
        return self.model.prepare(request["image"].file.read())

    def batch(self, inputs: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the pictures as one array [N, H, W, 3]."""
        return np.stack(inputs)

    def predict(self, x: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes]."""
        return self.model.predict(x)

    def unbatch(self, output: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the rows."""
        return list(output)

    def encode_response(self, output: NDArray[np.float32]) -> dict[str, Any]:
        """Return the answer."""
        return document(self.model.rank(output, k=TOP_K))


if __name__ == "__main__":
    api = Classifier(max_batch_size=MAX_BATCH_SIZE, batch_timeout=BATCH_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
