"""A classifier as an importer found it, before it is checked and gets its preprocessing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_store.card import ChannelOrder, Channels, Origin
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import augmentation, operations

CHANNELS, GREY = 3, 1
# Shares of red, green and blue in a grey, as Pillow has them too. Source: ITU-R BT.601.
LUMA = (0.299, 0.587, 0.114)
# What mixed precision takes; pixels are float32 and are cast to it.
HALVES = (tf.float16, tf.bfloat16)
EXPECTED = "expected one batch of pictures, uint8 or float32 [N, height, width, 3], or 1 for grey"


@dataclass(frozen=True)
class Network:
    """One function from pictures to rows of numbers, its weights being constants.

    Attributes:
        function: Takes a tensor [N, input_size, input_size, 3] of `dtype` and gives a list with
            one tensor [N, classes], of logits or of probabilities.
        dtype: `tf.uint8` for a network that normalises itself, else `tf.float32`.
        input_size: Height and width in pixels.
        origin: What goes into the card.
        beside: Directory where a `labels.txt` may lie; None for what was downloaded.
        mean: Usual mean of such networks, where there is one.
        scale: Usual scale of such networks, where there is one.
        notes: What was done to it, in sentences for who publishes it.
    """

    function: Any
    dtype: tf.DType
    input_size: int
    origin: Origin
    beside: Path | None = None
    mean: Channels | None = None
    scale: Channels | None = None
    notes: tuple[str, ...] = ()

    @property
    def last_operation(self) -> str:
        """The type of the operation that gives the rows, before they are handed on or cast."""
        operation = self.function.outputs[0].op
        while operation.type in ("Identity", "Cast"):
            operation = operation.inputs[0].op
        return str(operation.type)


def fed(dtype: tf.DType) -> tf.DType:
    """Return the type of the pixels that a network of this input type is given."""
    return tf.float32 if dtype in HALVES else dtype


def freeze(call: Callable[[tf.Tensor], tf.Tensor], *, input_size: int, dtype: tf.DType) -> Any:
    """Return `call` as a function of a batch of any size, its variables being constants.

    Raises:
        ModelFormatError: it cannot take such a batch, or reaches out of its graph.
    """
    batch = tf.TensorSpec((None, input_size, input_size, CHANNELS), fed(dtype))
    try:
        traced = tf.function(lambda pixels: call(tf.cast(pixels, dtype)))
        function = augmentation.frozen(traced.get_concrete_function(batch))
    except (TypeError, ValueError, tf.errors.OpError) as exc:
        raise ModelFormatError(
            f"the network does not take pictures {batch.shape} of {dtype.name}: {_short(exc)}"
        ) from exc
    operations.refuse(function.graph.as_graph_def())
    return function


def of_colours(
    call: Callable[[tf.Tensor], tf.Tensor],
    shape: tf.TensorShape,
    dtype: tf.DType,
    order: ChannelOrder,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a network of colour pictures; one whose input has one channel gets their luma."""
    if shape.rank is None or shape[-1] != GREY:
        return call
    shares = LUMA if order == "RGB" else LUMA[::-1]

    def called(pixels: tf.Tensor) -> tf.Tensor:
        luma = tf.reduce_sum(tf.cast(pixels, tf.float32) * shares, axis=-1, keepdims=True)
        return call(tf.cast(tf.round(luma) if dtype == tf.uint8 else luma, dtype))

    return called


def side(shape: tf.TensorShape, dtype: tf.DType, *, wanted: int | None, what: str) -> int:
    """Return the height and width of the pictures that an input of this shape takes.

    Args:
        shape: Of the input.
        dtype: Of the input.
        wanted: What the user said; needed where the shape leaves it open.
        what: Names the input in messages.

    Raises:
        ModelFormatError: the input is no batch of square pictures, RGB or grey, channels last.
        ImportOptionError: the size is missing, or another one than the shape has.
    """
    found = f"{what} is {dtype.name} {text(shape)}"
    height, width, channels = _picture(shape, found)
    if dtype not in (tf.uint8, tf.float32, *HALVES) or channels not in (None, CHANNELS, GREY):
        raise ModelFormatError(f"{found}; {EXPECTED}")
    if height != width:
        raise ModelFormatError(
            f"{found}; expected square pictures. Where it was made, have it take the square and "
            "squeeze that itself: keras.Sequential([keras.Input((SIDE, SIDE, 3)), "
            f'keras.layers.Resizing({height}, {width}), model]).export("FOLDER")'
        )
    if height is None and wanted is None:
        raise ImportOptionError(f"{found}; say the height and width in pixels with --input-size")
    if height and wanted and height != wanted:
        raise ImportOptionError(f"{found}; --input-size {wanted} does not fit, leave it out")
    return int(height or wanted or 0)


def refuse_fixed_batch(shape: tf.TensorShape, *, what: str) -> None:
    """Raise `ModelFormatError` for a shape whose first dimension is a number."""
    if shape.rank and shape[0] is not None:
        raise ModelFormatError(
            f"{what} takes exactly {shape[0]} pictures at a time {text(shape)}; expected any "
            "number: export it with None as the first dimension"
        )


def _picture(shape: tf.TensorShape, found: str) -> tuple[int | None, int | None, int | None]:
    if shape.rank is None:
        return None, None, None
    if shape.rank != CHANNELS + 1:
        raise ModelFormatError(f"{found}; {EXPECTED}")
    return shape[1], shape[2], shape[3]


def text(shape: tf.TensorShape) -> str:
    """Return a shape as messages write it, as in `[N, 224, 224, 3]`."""
    if shape.rank is None:
        return "of any shape"
    return "[" + ", ".join("N" if size is None else str(size) for size in shape) + "]"


def _short(exc: Exception) -> str:
    """Return the last line of a message of TensorFlow, which carries its reason."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1] if lines else type(exc).__name__
