"""Imports a Keras 3 `.keras` file in safe mode, in which no code of the file is run."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from model_store import verification
from model_store.card import Origin
from model_store.errors import ModelFormatError
from model_store.importers import ImportOptions
from model_store.importers.networks import Network, freeze, refuse_fixed_batch, side


def read(source: str, options: ImportOptions) -> Network:
    """Return the classifier in a `.keras` file.

    Raises:
        ModelFormatError: the file cannot be read, holds code or classes of its own, or is no
            network from one batch of pictures to one row of numbers each.
        ImportOptionError: the input size is missing, or another one than the network has.
    """
    path = Path(source)
    where = Origin("keras", "Keras file", file=path.name, sha256=verification.file_digest(path))
    return network(load(path), options, where, beside=path.parent)


def load(path: Path) -> keras.Model:
    """Return the network of a file, without running any code that the file brings.

    Raises:
        ModelFormatError: it cannot be read, or cannot be read without such code.
    """
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as exc:
        raise ModelFormatError(f"{path} cannot be published: {_reason(str(exc))}") from exc


def network(
    model: keras.Model, options: ImportOptions, where: Origin, *, beside: Path | None = None
) -> Network:
    """Return a Keras network with its weights as constants.

    Raises:
        ModelFormatError: it does not go from one batch of pictures to one row of numbers each.
        ImportOptionError: the input size is missing, or another one than the network has.
    """
    inputs, outputs = _tensors(model.inputs), _tensors(model.outputs)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelFormatError(
            f"the network has {len(inputs)} inputs and {len(outputs)} outputs; expected one of each"
        )
    shape, dtype = tf.TensorShape(inputs[0].shape), tf.as_dtype(inputs[0].dtype)
    what = f"input {inputs[0].name!r}"
    size = side(shape, dtype, wanted=options.input_size, what=what)
    refuse_fixed_batch(shape, what=what)
    function = freeze(lambda x: model(x, training=False), input_size=size, dtype=dtype)
    return Network(function, dtype, size, where, beside)


def _tensors(found: Any) -> list[Any]:
    return list(found or [])


def _reason(message: str) -> str:
    if "lambda" in message.lower():
        return (
            "it holds a Python function (a Lambda layer), which would run here with your rights; "
            "replace it by a layer of Keras and save again"
        )
    if "locate class" in message or "custom object" in message:
        return f"it needs a class that is no part of Keras: {message.partition(chr(10))[0]}"
    return message.partition("\n")[0]
