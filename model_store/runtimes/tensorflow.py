"""TensorFlow, the reference: it runs the SavedModel that every other artifact is made from."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store import graphs
from model_store.card import ModelCard
from model_store.errors import ModelFormatError
from model_store.runtimes import FEATURES, PROBABILITIES, Rows

# isort: split
# Second, because the first import of TensorFlow is the one that `graphs` makes short.
import tensorflow as tf

logger = logging.getLogger(__name__)


class TensorFlowArtifact:
    """A signature of a SavedModel, its variables frozen to constants."""

    def __init__(self, model: Any) -> None:
        """Use the signature of a loaded SavedModel that says most: one uint8 input.

        Reading variables at each call costs half the time: 36 ms a picture against 19 with
        constants. Where there are only constants, freezing would take a second and change nothing.
        """
        described = graphs.DESCRIBED in model.signatures
        signature = model.signatures[graphs.DESCRIBED if described else graphs.SIGNATURE]
        self._model = model  # owns what the signature calls
        # By name, in the order in which both kinds of functions give them.
        self._names = sorted(signature.structured_outputs) if described else [PROBABILITIES]
        self._function = (
            graphs.frozen(signature) if signature.captured_inputs else _by_position(signature)
        )

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] of images [N, H, W, 3], row for row."""
        probabilities: NDArray[np.float32] = self._outputs(images)[PROBABILITIES].numpy()
        return probabilities

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """Return the probabilities, and the features if the SavedModel gives them."""
        outputs = {name: tensor.numpy() for name, tensor in self._outputs(images).items()}
        return Rows(outputs[PROBABILITIES], outputs.get(FEATURES))

    def _outputs(self, images: NDArray[np.uint8]) -> dict[str, tf.Tensor]:
        return dict(zip(self._names, self._function(tf.constant(images)), strict=True))


class TensorFlowRuntime:
    """Loads and runs SavedModels."""

    def load(self, artifact: Path, card: ModelCard, *, threads: int) -> TensorFlowArtifact:
        """Return the SavedModel's serving signature, ready to call.

        Raises:
            ModelFormatError: the directory is no SavedModel with a serving signature.
        """
        limit_threads(threads)
        try:
            return TensorFlowArtifact(tf.saved_model.load(str(artifact)))
        except (OSError, KeyError, ValueError) as exc:
            raise ModelFormatError(
                f"{card.ref}: {artifact} is no SavedModel with {graphs.SIGNATURE!r}: {exc}"
            ) from exc

    def convert(self, saved_model: Path, destination: Path) -> Path:
        """Return the SavedModel itself; nothing is written to `destination`."""
        del destination
        return saved_model


def _by_position(signature: Any) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    (name,) = signature.structured_input_signature[1]
    return lambda images: tuple(each for _, each in sorted(signature(**{name: images}).items()))


def limit_threads(threads: int) -> None:
    """Give this process's TensorFlow that many threads, if it has not run an operation yet.

    Its thread pools are made once; where they differ already, a warning is logged and they stay.
    """
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        found = threading.get_intra_op_parallelism_threads()
        logger.warning("threads already set", extra={"threads": found, "wanted": threads})
