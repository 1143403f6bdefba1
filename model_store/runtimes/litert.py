"""LiteRT, formerly TensorFlow Lite: small, quick to load, and free of TensorFlow to predict."""

import warnings
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from model_store.card import ModelCard
from model_store.errors import ModelFormatError
from model_store.runtimes import FEATURES, PROBABILITIES, Rows, tflite_int8

MODEL = "model.tflite"

# An int8 softmax has steps of 1/256: a thousand small probabilities then sum to 0.7, and the best
# two labels are often equal. With the last layer in float32, too, 0.98 instead of 0.93 of 99
# photographs keep their label (EfficientNet-Lite0, calibrated on textures), in the same time.
KEPT_IN_FLOAT32 = ("SOFTMAX", "FULLY_CONNECTED")


class LiteRTArtifact:
    """An interpreter with its memory laid out for one picture."""

    def __init__(self, interpreter: Interpreter) -> None:
        """Use an interpreter of one input, with a batch of one."""
        interpreter.allocate_tensors()
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._outputs = _outputs(interpreter)
        self._lock = Lock()

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] of images [N, H, W, 3], row for row.

        One picture at a time: XNNPACK takes as long for eight as for eight times one, and a new
        batch size would lay out all memory again.
        """
        (probabilities,) = self._rows(images, PROBABILITIES)
        return probabilities

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """Return the probabilities, and the features if the network gives them."""
        if FEATURES not in self._outputs:
            return Rows(self.predict(images))
        return Rows(*self._rows(images, PROBABILITIES, FEATURES))

    def _rows(self, images: NDArray[np.uint8], *names: str) -> list[NDArray[np.float32]]:
        rows = [self._of_one(images[i : i + 1], names) for i in range(len(images))]
        return [np.concatenate(each) for each in zip(*rows, strict=True)]

    def _of_one(self, image: NDArray[np.uint8], names: tuple[str, ...]) -> list[Any]:
        # One set of tensors; the interpreter's own threads have the cores already.
        with self._lock:
            self._interpreter.set_tensor(self._input, image)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(self._outputs[name]) for name in names]


def _outputs(interpreter: Interpreter) -> dict[str, int]:
    """Return where the outputs are, by name; files of others name theirs as they like."""
    ports = interpreter.get_output_details()
    if len(ports) == 1:
        return {PROBABILITIES: ports[0]["index"]}
    named = interpreter.get_signature_runner().get_output_details()
    return {name: port["index"] for name, port in named.items()}


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
        try:
            return _write(destination, _converter(saved_model).convert())
        except (OSError, ValueError, RuntimeError) as exc:
            raise ModelFormatError(f"LiteRT cannot convert {saved_model}: {exc}") from exc

    def quantize(self, saved_model: Path, destination: Path, images: NDArray[np.uint8]) -> Path:
        """Write `model.tflite` in int8 but for its end; return its path.

        `images` [N, H, W, 3] calibrate it. A SavedModel needs TensorFlow, a float32 `model.tflite`
        in its place AI Edge Quantizer.

        Raises:
            ModelFormatError: the SavedModel has an operation that LiteRT lacks.
            RuntimeUnavailableError: AI Edge Quantizer is not installed.
        """
        if saved_model.is_file():
            return _write(destination, tflite_int8.quantized(saved_model, images))
        try:
            return _write(destination, _quantized(_converter(saved_model), images))
        except (OSError, ValueError, RuntimeError) as exc:
            raise ModelFormatError(f"LiteRT cannot quantize {saved_model}: {exc}") from exc


def _converter(saved_model: Path) -> Any:
    from model_store import graphs  # noqa: PLC0415 - a worker that predicts must not load it

    return graphs.litert_converter(saved_model)


def _quantized(converter: Any, images: NDArray[np.uint8]) -> bytes:
    from tensorflow import lite  # noqa: PLC0415 - as above

    converter.optimizations = [lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    options = lite.experimental.QuantizationDebugOptions(denylisted_ops=list(KEPT_IN_FLOAT32))
    with warnings.catch_warnings():
        # The debugger, the only public way to keep operations in float32, uses an interpreter that
        # warns of its end.
        warnings.simplefilter("ignore")
        debugger = lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=converter.representative_dataset,
            debug_options=options,
        )
        quantized: bytes = debugger.get_nondebug_quantized_model()
    return quantized


def _write(destination: Path, model: bytes) -> Path:
    destination.mkdir(parents=True, exist_ok=True)
    artifact = destination / MODEL
    artifact.write_bytes(model)
    return artifact
