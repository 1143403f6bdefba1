"""Tries an imported network on drawn pictures: what a signature cannot say is seen here."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model_store.errors import ModelFormatError

PICTURES = 6
# Float16 networks round a sum of 1,000 probabilities by up to 1e-3.
SUM_TOLERANCE = 5e-3
# A network that answers for each picture alone differs only by the order of its additions.
BATCH_TOLERANCE = 1e-3

# The last operations of a dense layer without an activation, in TensorFlow, ONNX and OpenVINO.
_SUMS = {"MatMul", "BiasAdd", "Add", "AddV2", "Gemm"}

_IF_SIGMOID = {"Sigmoid": ": a sigmoid judges each label by itself, several at once"}
_ONE_OF_SEVERAL = (
    "Where it was made, publish each label as a model of its own, yes or no: "
    "keras.Model(model.input, model.output[:, :1]) for the first, in PyTorch a module that returns "
    "model(pictures)[:, :1]; or, where labels exclude each other, train it with a softmax"
)

Rows = NDArray[np.float32]
Predict = Callable[[NDArray[np.uint8]], Rows]


def pictures(input_size: int) -> NDArray[np.uint8]:
    """Return black, white and noise at four strengths, uint8 [6, input_size, input_size, 3]."""
    noise = np.random.default_rng(0).integers(-128, 128, (4, input_size, input_size, 3))
    strengths = np.array([0.1, 0.3, 0.6, 1.0]).reshape(4, 1, 1, 1)
    plain = np.stack([np.full(noise.shape[1:], value) for value in (0, 255)])
    return np.concatenate([plain, 128 + noise * strengths]).astype(np.uint8)


def answers(predict: Predict, input_size: int) -> Rows:
    """Return what a network answers on the pictures, [6, classes].

    Raises:
        ModelFormatError: it takes only some sizes of a batch, mixes the pictures of one, does not
            answer with finite rows, differently each time, or without a number.
    """
    images = pictures(input_size)
    single = np.concatenate([_rows(predict, images[i : i + 1]) for i in range(PICTURES)])
    together = _rows(predict, images)
    if not np.isfinite(together).all():
        raise ModelFormatError("the network answers with numbers that are not finite")
    if (difference := _difference(together, _rows(predict, images))) > BATCH_TOLERANCE:
        raise ModelFormatError(
            f"the network's answer to the same pictures changes by {difference:.3f} from call to "
            "call (is augmentation or dropout in training mode?); export it with training=False"
        )
    if (difference := _difference(together, single)) > BATCH_TOLERANCE:
        raise ModelFormatError(
            f"the network's answer changes by {difference:.3f} with the other pictures of a batch; "
            "expected each picture by itself (is batch normalisation in training mode?)"
        )
    return together


def is_probability(rows: Rows, last_operation: str) -> bool:
    """Tell whether answers [N, 1] of one number are probabilities; else they need a sigmoid.

    Drawn pictures may leave a logit between 0 and 1 by chance, so the operation that gives the
    number is asked first.
    """
    if last_operation in _SUMS:
        return False
    return last_operation == "Sigmoid" or bool(rows.min() >= 0 and rows.max() <= 1)


def are_logits(rows: Rows, last_operation: str) -> bool:
    """Tell whether answers [N, classes] need a softmax; probabilities do not.

    What a sum gives are logits, also where all of them lie between 0 and 1 on drawn pictures.

    Raises:
        ModelFormatError: they are neither: each number lies between 0 and 1, but not their sum.
    """
    if last_operation in _SUMS:
        return True
    sums = rows.sum(axis=1)
    in_range = bool(rows.min() >= -SUM_TOLERANCE and rows.max() <= 1 + SUM_TOLERANCE)
    if in_range and np.allclose(sums, 1, atol=SUM_TOLERANCE):
        return False
    if in_range:
        raise ModelFormatError(
            f"the network's {rows.shape[1]} numbers for a picture lie between 0 and 1 and sum to "
            f"{sums.min():.3f} to {sums.max():.3f}{_IF_SIGMOID.get(last_operation, '')}; expected "
            f"probabilities that sum to 1, or logits. {_ONE_OF_SEVERAL}"
        )
    return True


def _difference(rows: Rows, others: Rows) -> float:
    return float(np.abs(rows - others).max() / max(1.0, np.abs(others).max()))


def _rows(predict: Predict, images: NDArray[np.uint8]) -> Rows:
    try:
        rows = predict(images)
    # TensorFlow's own errors share no other parent; all of them mean the same here.
    except Exception as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise ModelFormatError(
            f"the network fails on {len(images)} pictures at once ({reason}); expected any number"
        ) from exc
    if rows.ndim != 2 or len(rows) != len(images) or not rows.shape[1]:  # noqa: PLR2004
        raise ModelFormatError(
            f"the network answers {len(images)} pictures with shape {list(rows.shape)}; expected "
            f"[{len(images)}, classes] with one number for each label"
        )
    return rows
