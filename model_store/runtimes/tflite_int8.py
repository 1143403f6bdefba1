"""Int8 of a float32 `model.tflite`, made by AI Edge Quantizer without TensorFlow."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.errors import ModelFormatError, RuntimeUnavailableError

# As in `litert.KEPT_IN_FLOAT32`, but for the last layer: of 50 photographs 0.98 keep their label
# with and without it, and it is a third faster in int8 (EfficientNet-Lite0). The output is an
# operation of its own here, so that float32 comes out.
KEPT_IN_FLOAT32 = ("SOFTMAX", "OUTPUT")


def quantized(model: Path, images: NDArray[np.uint8]) -> bytes:
    """Return the bytes of the int8 network; `images` [N, H, W, 3] calibrate it.

    Raises:
        ModelFormatError: it has an operation that cannot be quantized.
        RuntimeUnavailableError: AI Edge Quantizer is not installed.
    """
    _check_installed()
    # It draws progress bars and tables on both, and its interpreter warns of the memory that all
    # tensors of one picture take, which is little.
    quiet = (contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()))
    with quiet[0], quiet[1], warnings.catch_warnings(action="ignore"):
        try:
            return _quantized(model, images)
        except (RuntimeError, ValueError, NotImplementedError) as exc:
            raise ModelFormatError(f"LiteRT cannot quantize {model}: {exc}") from exc


def _check_installed() -> None:
    try:
        import ai_edge_quantizer  # noqa: F401, PLC0415 - workers do without it
    except ImportError as exc:
        raise RuntimeUnavailableError(
            f"AI Edge Quantizer cannot be imported ({exc}); install ai-edge-quantizer"
        ) from exc


def _quantized(model: Path, images: NDArray[np.uint8]) -> bytes:
    from ai_edge_quantizer import quantizer  # noqa: PLC0415 - as above

    recipe = _recipe()
    ranges = _ranges(model, images, recipe)
    made = quantizer.Quantizer(str(model), recipe.get_quantization_recipe()).quantize(ranges)
    return bytes(made.quantized_model)


def _recipe() -> Any:
    from ai_edge_quantizer import qtyping, recipe_manager  # noqa: PLC0415 - as above

    recipe = recipe_manager.RecipeManager()
    names = qtyping.TFLOperationName
    recipe.add_static_config(".*", names.ALL_SUPPORTED, activation_num_bits=8, weight_num_bits=8)
    for name in KEPT_IN_FLOAT32:
        recipe.add_quantization_config(".*", names(name), algorithm_key="no_quantize")
    return recipe


def _ranges(model: Path, images: NDArray[np.uint8], recipe: Any) -> Any:
    """Return the widest range of each tensor, as for OpenVINO; by default it is a moving mean."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - as above
    from ai_edge_quantizer import calibrator  # noqa: PLC0415
    from ai_edge_quantizer.utils import qsv_utils  # noqa: PLC0415

    ((signature, names),) = Interpreter(model_path=str(model)).get_signature_list().items()
    (name,) = names["inputs"]
    widest = calibrator.Calibrator(
        str(model), num_threads=1, qsv_update_func=qsv_utils.min_max_update
    )
    # A list, as it is read more than once.
    widest.calibrate({signature: [{name: image[None]} for image in images]}, recipe)
    return widest.get_model_qsvs()
