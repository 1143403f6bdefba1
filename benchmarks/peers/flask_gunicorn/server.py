"""The application for `gunicorn --workers N`: each worker imports it, and so loads the model."""

from typing import Any

from flask import Flask, request

from benchmarks.peers.model import TOP_K, document, load

app = Flask(__name__)
model = load()


@app.post("/classify")
def classify() -> dict[str, Any]:
    """Answer with the labels of the picture that is the body."""
    return document(model.classify(request.get_data(), k=TOP_K))
