"""OpenVINO, the fastest runtime on x86 CPUs; it reads SavedModels itself, without TensorFlow."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store.card import ModelCard
from model_store.errors import ModelFormatError

# The mere import reports to Intel through this module, from every worker child. Where it cannot be
# imported OpenVINO uses a stub of its own.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402 - after the line above

MODEL = "model.xml"


class OpenVINOArtifact:
    """A compiled network with its one inference request, which is used again and again."""

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        """Use a compiled model of one input and one output."""
        self._request = compiled.create_infer_request()

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] of images [N, H, W, 3], row for row."""
        results = self._request.infer([images], share_inputs=True, share_outputs=False)
        probabilities: NDArray[np.float32] = results[0]
        return probabilities


class OpenVINORuntime:
    """Makes, loads and runs OpenVINO's `model.xml`."""

    def load(self, artifact: Path, card: ModelCard, *, threads: int) -> OpenVINOArtifact:
        """Return the network compiled for this CPU.

        Raises:
            ModelFormatError: the artifact cannot be read or compiled.
        """
        try:
            compiled = openvino.Core().compile_model(artifact, "CPU", _options(threads))
        except RuntimeError as exc:
            raise ModelFormatError(f"{card.ref}: OpenVINO cannot load {artifact}: {exc}") from exc
        return OpenVINOArtifact(compiled)

    def convert(self, saved_model: Path, destination: Path) -> Path:
        """Write `model.xml` and `model.bin` with float32 weights; return the former's path.

        Raises:
            ModelFormatError: the SavedModel has an operation that OpenVINO lacks.
        """
        destination.mkdir(parents=True, exist_ok=True)
        artifact = destination / MODEL
        try:
            model = openvino.Core().read_model(saved_model)
            openvino.save_model(model, artifact, compress_to_fp16=False)
        except RuntimeError as exc:
            raise ModelFormatError(f"OpenVINO cannot convert {saved_model}: {exc}") from exc
        return artifact


def _options(threads: int) -> dict[str, object]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": threads,
        # Pinned threads of two worker children all sit on core 0: 67 pictures/s instead of 131.
        "ENABLE_CPU_PINNING": False,
        # Else bfloat16 or float16 is used where the CPU has it, and rows no longer agree.
        "INFERENCE_PRECISION_HINT": "f32",
    }
