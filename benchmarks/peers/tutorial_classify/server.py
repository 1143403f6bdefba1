"""Flask's own server; each request loads the model, predicts and forgets it.

The tutorials load a graph into a new TensorFlow session; here it is the OpenVINO file, which loads
in a tenth of the time, so that the runtime is the others'.
"""

import sys
from typing import Any

from flask import Flask, request

from benchmarks.peers.model import TOP_K, document, load

app = Flask(__name__)


@app.post("/classify")
def classify() -> dict[str, Any]:
    """Answer with the labels of the form's file."""
    upload = request.files["image"].read()
    return document(load().classify(upload, k=TOP_K))


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
