"""The model that every peer serves: the same decode, runtime and ranking as the bare loop's."""

import os
from typing import Any

from model_store import ModelStore
from model_store.choosing import candidates
from model_store.predictions import Prediction
from model_store.runtimes.openvino import OpenVINORuntime
from model_store.serving import ServedModel
from model_store.settings import ModelSettings

TOP_K = 5
THREADS = "PEER_THREADS"


def load() -> ServedModel:
    """Return the default model's OpenVINO variant that `PETIOLE_MODELS_RUNTIME` names, warm.

    The runtime is named, not looked up: Petiole itself is not installed where a peer runs.
    """
    settings = ModelSettings()
    store = ModelStore.of(settings)
    card = store.card(*store.resolve(settings.default_model))
    directory = store.fetch(card.name, card.version)
    variant = candidates(card, settings.runtime)[0]
    threads = int(os.environ.get(THREADS, "1"))
    artifact = OpenVINORuntime().load(directory / variant.path, card, threads=threads)
    return ServedModel(card, variant, artifact, directory)


def document(predictions: tuple[Prediction, ...]) -> dict[str, Any]:
    """Return an answer as each peer gives it."""
    ranked = [{"label": p.label, "probability": float(p.probability)} for p in predictions]
    return {"predictions": ranked}
