"""LiteRT, formerly TensorFlow Lite: small, quick to load, and free of TensorFlow to predict."""

import importlib
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from model_store.card import ModelCard
from model_store.errors import ModelFormatError

MODEL = "model.tflite"


class LiteRTArtifact:
    """An interpreter with its memory laid out for one picture."""

    def __init__(self, interpreter: Interpreter) -> None:
        """Use an interpreter of one input and one output, both with a batch of one."""
        interpreter.allocate_tensors()
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] of images [N, H, W, 3], row for row.

        One picture at a time: XNNPACK takes as long for eight as for eight times one, and a new
        batch size would lay out all memory again.
        """
        return np.concatenate([self._predict_one(images[i : i + 1]) for i in range(len(images))])

    def _predict_one(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input, images)
        self._interpreter.invoke()
        probabilities: NDArray[np.float32] = self._interpreter.get_tensor(self._output)
        return probabilities


class LiteRTRuntime:
    """Makes, loads and runs `model.tflite`."""

    def load(self, artifact: Path, card: ModelCard, *, threads: int) -> LiteRTArtifact:
        """Return the network in an interpreter.

        Raises:
            ModelFormatError: the artifact cannot be read.
        """
        try:
            return LiteRTArtifact(Interpreter(model_path=str(artifact), num_threads=threads))
        except (ValueError, RuntimeError) as exc:
            raise ModelFormatError(f"{card.ref}: LiteRT cannot load {artifact}: {exc}") from exc

    def convert(self, saved_model: Path, destination: Path) -> Path:
        """Write `model.tflite` with float32 weights; return its path. Needs TensorFlow.

        Raises:
            ModelFormatError: the SavedModel has an operation that LiteRT lacks.
        """
        # Only converting needs TensorFlow; a worker that predicts must not load it.
        tensorflow = importlib.import_module("tensorflow")
        destination.mkdir(parents=True, exist_ok=True)
        artifact = destination / MODEL
        try:
            converter = tensorflow.lite.TFLiteConverter.from_saved_model(str(saved_model))
            artifact.write_bytes(converter.convert())
        except (OSError, ValueError, RuntimeError) as exc:
            raise ModelFormatError(f"LiteRT cannot convert {saved_model}: {exc}") from exc
        return artifact
