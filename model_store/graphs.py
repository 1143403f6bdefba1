"""What TensorFlow graphs have in common, whoever traces them: constants and normalised pixels.

Importers, training and the reference runtime stand on it. Importing it is importing TensorFlow,
without what nobody here asks for.
"""

import sys
from pathlib import Path
from typing import Any

from model_store import heavy
from model_store.card import PreprocessingSpec
from model_store.publishing import SAVED_MODEL

heavy.prepare()

# Keras, which TensorFlow imports, wraps its models for scikit-learn where that can be imported:
# nobody here asks for it, and it is a quarter of the time.
_hidden = "sklearn" not in sys.modules
if _hidden:
    sys.modules["sklearn"] = None  # type: ignore[assignment]
try:
    import tensorflow as tf
finally:
    if _hidden:
        del sys.modules["sklearn"]

from tensorflow.core.protobuf import saved_model_pb2  # noqa: E402
from tensorflow.python.framework.convert_to_constants import (  # noqa: E402
    convert_variables_to_constants_v2,
)

SIGNATURE = "serving_default"
# Beside it, where a network gives its features as well: one more output would change the answers
# that TensorFlow Serving gives.
DESCRIBED = "probabilities_and_features"


def frozen(traced: Any) -> Any:
    """Return a traced function, or a signature, with its variables made constants.

    It takes tensors by position and gives a list of them, in the order of `traced.outputs`.
    Constants are read in half the time, are saved four times faster than variables, and OpenVINO
    cannot read the variables of TF1 modules.
    """
    return convert_variables_to_constants_v2(traced)


def normalised(images: tf.Tensor, spec: PreprocessingSpec) -> tf.Tensor:
    """Return float32 (images - mean) / scale of images [N, H, W, 3], on the scale 0 to 255."""
    return (tf.cast(images, tf.float32) - spec.mean) / spec.scale


def litert_converter(saved_model: Path) -> Any:
    """Return what makes LiteRT's files of a SavedModel, with its features if it gives them.

    Raises:
        OSError: the directory is no SavedModel.
    """
    document = saved_model_pb2.SavedModel.FromString((saved_model / SAVED_MODEL).read_bytes())
    signatures = document.meta_graphs[0].signature_def
    signature = DESCRIBED if DESCRIBED in signatures else SIGNATURE
    return tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=[signature])
