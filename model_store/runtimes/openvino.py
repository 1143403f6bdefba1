"""OpenVINO, the fastest runtime on x86 CPUs; it reads SavedModels itself, without TensorFlow."""

import contextlib
import io
import logging
import sys
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.card import ModelCard
from model_store.errors import ModelFormatError, RuntimeUnavailableError
from model_store.runtimes import Rows, openvino_features

# The mere import reports to Intel through this module, from every worker child. Where it cannot be
# imported OpenVINO uses a stub of its own.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402 - after the line above

# OpenVINO fills a table of types at the first call and waits for the interpreter meanwhile. Two
# threads that make this call at once wait for each other for ever; an import is made by one alone.
openvino.Type.u8.to_dtype()

MODEL = "model.xml"

# Without VNNI the products of bytes saturate in 16 bits: the same file that agrees on 0.98 of
# pictures where it was made agrees on 0.88 to 0.94 elsewhere. With a bit less in the weights of all
# layers (NNCF issue 1498) nothing saturates; `python -m benchmarks.int8` measures both.
OVERFLOW_FIX = "ENABLE"


class OpenVINOArtifact:
    """A compiled network with its one inference request, which is used again and again."""

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        """Use a compiled model of one input; its second output, if there is one, are features."""
        self._request = compiled.create_infer_request()
        self._has_features = len(compiled.outputs) > 1
        self._lock = Lock()

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] of images [N, H, W, 3], row for row."""
        return self.describe(images).probabilities

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """Return the probabilities, and the features if the network gives them."""
        # A request that is at work refuses the next one; with one stream they would wait anyway.
        with self._lock:
            results = self._request.infer([images], share_inputs=True, share_outputs=False)
        return Rows(results[0], results[1] if self._has_features else None)


class OpenVINORuntime:
    """Makes, loads and runs OpenVINO's `model.xml`."""

    def load(self, artifact: Path, card: ModelCard, *, threads: int) -> OpenVINOArtifact:
        """Return the network compiled for this CPU.

        Raises:
            ModelFormatError: the artifact cannot be read or compiled.
        """
        try:
            network = openvino_features.added(openvino.Core().read_model(artifact))
            compiled = openvino.Core().compile_model(network, "CPU", options(threads))
        except RuntimeError as exc:
            raise ModelFormatError(f"{card.ref}: OpenVINO cannot load {artifact}: {exc}") from exc
        return OpenVINOArtifact(compiled)

    def convert(self, saved_model: Path, destination: Path) -> Path:
        """Write `model.xml` and `model.bin` with float32 weights; return the former's path.

        Raises:
            ModelFormatError: the SavedModel has an operation that OpenVINO lacks.
        """
        try:
            return _write(openvino.Core().read_model(saved_model), destination)
        except RuntimeError as exc:
            raise ModelFormatError(f"OpenVINO cannot convert {saved_model}: {exc}") from exc

    def quantize(self, saved_model: Path, destination: Path, images: NDArray[np.uint8]) -> Path:
        """Write `model.xml` and `model.bin` with int8 operations; return the former's path.

        Needs NNCF; `images` [N, H, W, 3] calibrate it.

        Raises:
            ModelFormatError: the SavedModel has an operation that OpenVINO lacks.
            RuntimeUnavailableError: NNCF is not installed.
        """
        nncf = _nncf()
        try:
            model = openvino.Core().read_model(saved_model)
            return _write(quantized(nncf, model, images), destination)
        except _errors(nncf) as exc:
            raise ModelFormatError(f"OpenVINO cannot quantize {saved_model}: {exc}") from exc


def _nncf() -> Any:
    """Return the library that quantizes, silent."""
    logger_class = logging.getLoggerClass()
    try:
        import nncf  # noqa: PLC0415 - large, and a worker that predicts does not need it
    except ImportError as exc:
        raise RuntimeUnavailableError(f"NNCF cannot be imported ({exc}); install nncf") from exc
    finally:
        # Its import puts a class of its own in the place of every later logger.
        logging.setLoggerClass(logger_class)
    # Its own function for this would also set the level of handlers that others have added.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


def _errors(nncf: Any) -> tuple[type[Exception], ...]:
    # NNCF's own have no common parent.
    return RuntimeError, ValueError, nncf.InternalError, nncf.ValidationError


def quantized(
    nncf: Any,
    model: openvino.Model,
    images: NDArray[np.uint8],
    *,
    overflow_fix: str = OVERFLOW_FIX,
) -> openvino.Model:
    """Return a network in int8; `images` [N, H, W, 3] calibrate it.

    Args:
        nncf: The library that quantizes.
        model: The network in float32.
        images: Pixels as it takes them.
        overflow_fix: Name of NNCF's `OverflowFix`; others are of use to compare with.
    """
    # By default NNCF takes ranges per channel before depthwise convolutions, and the mean of the
    # pictures' ranges. Channels that no calibration picture excites are then cut off: 0.36 of 99
    # photographs keep their label after drawn pictures. With one range, the widest, 0.99 do.
    ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet
    parameters = nncf.quantization.advanced_parameters.QuantizationParameters
    fixes = nncf.quantization.advanced_parameters.OverflowFix
    advanced = nncf.AdvancedQuantizationParameters(
        overflow_fix=fixes[overflow_fix],
        activations_quantization_params=parameters(per_channel=False),
        activations_range_estimator_params=ranges.MINMAX,
    )
    dataset = nncf.Dataset([image[None] for image in images])
    # It draws progress bars on stdout, where our documents go.
    with contextlib.redirect_stdout(io.StringIO()):
        return nncf.quantize(model, dataset, subset_size=len(images), advanced_parameters=advanced)


def _write(model: openvino.Model, destination: Path) -> Path:
    destination.mkdir(parents=True, exist_ok=True)
    artifact = destination / MODEL
    openvino.save_model(model, artifact, compress_to_fp16=False)
    return artifact


def options(threads: int) -> dict[str, object]:
    """Return how a network is compiled, wherever it predicts."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": threads,
        # Pinned threads of two worker children all sit on core 0: 67 pictures/s instead of 131.
        "ENABLE_CPU_PINNING": False,
        # Else bfloat16 or float16 is used where the CPU has it, and rows no longer agree.
        "INFERENCE_PRECISION_HINT": "f32",
    }
