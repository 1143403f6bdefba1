"""Imports a Keras file of either generation in safe mode, in which no code of the file is run."""

import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from model_store import verification
from model_store.card import Origin
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import ImportOptions
from model_store.importers.keras_archives import EXPORT, KERAS_3, KerasArchive, inspect
from model_store.importers.networks import (
    Network,
    fed,
    freeze,
    of_colours,
    refuse_fixed_batch,
    side,
    text,
)

_AUGMENTING = ("Random", "AugMix", "CutMix", "MixUp", "RandAugment", "AutoAugment")


def read(source: str, options: ImportOptions) -> Network:
    """Return the classifier in a Keras file.

    Raises:
        ModelFormatError: the file cannot be read, holds code or classes of its own, or is no
            network from one batch of pictures to one row of numbers each.
        ImportOptionError: the input size is missing, or another one than the network has; or it
            has several outputs and none was named.
    """
    path = Path(source)
    archive = inspect(path)
    called = f"Keras {archive.keras_version} file{' (HDF5)' if archive.is_hdf5 else ''}"
    where = Origin("keras", called, file=path.name, sha256=verification.file_digest(path))
    return network(load(archive), options, where, beside=path.parent)


def load(archive: KerasArchive) -> Any:
    """Return the network of a file, without running any code that the file brings.

    What Keras 1 and 2 wrote is read by tf_keras, which still is Keras 2.

    Raises:
        ModelFormatError: it cannot be read.
    """
    library = keras if archive.generation >= KERAS_3 else importlib.import_module("tf_keras")
    # Keras goes by the ending of a name.
    ending = "h5" if archive.is_hdf5 else "keras"
    with tempfile.TemporaryDirectory(prefix="petiole-keras-") as place:
        named = Path(place) / f"model.{ending}"
        named.symlink_to(archive.path.resolve())
        try:
            return library.saving.load_model(named, compile=False, safe_mode=True)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as exc:
            raise ModelFormatError(
                f"{archive.path} cannot be published: {_reason(archive, str(exc))}"
            ) from exc


def network(
    model: Any, options: ImportOptions, where: Origin, *, beside: Path | None = None
) -> Network:
    """Return a Keras network with its weights as constants.

    Raises:
        ModelFormatError: it does not go from one batch of pictures to one row of numbers each.
        ImportOptionError: the input size is missing, or another one than the network has; or it
            has several outputs and none was named.
    """
    taken, given = _input(model), _output(model, options.output_layer)
    shape, dtype = tf.TensorShape(taken.shape), tf.as_dtype(taken.dtype)
    what = f"input {taken.name!r}"
    size = side(shape, dtype, wanted=options.input_size, what=what)
    refuse_fixed_batch(shape, what=what)

    def call(pixels: tf.Tensor) -> tf.Tensor:
        return tf.nest.flatten(model(pixels, training=False))[given]

    colours = of_colours(call, shape, dtype, options.channel_order)
    function = freeze(colours, input_size=size, dtype=dtype)
    return Network(function, fed(dtype), size, where, beside, notes=tuple(_notes(model)))


def _input(model: Any) -> Any:
    inputs = list(model.inputs or [])
    if len(inputs) != 1:
        listed = _listed(inputs, [tensor.name for tensor in inputs])
        raise ModelFormatError(
            f"the network has {len(inputs)} inputs, {listed}; expected the pictures alone: make "
            "the others constants where it was made, as in "
            "keras.Model(pictures, model([pictures, constant])), and save that"
        )
    return inputs[0]


def _output(model: Any, wanted: str | None) -> int:
    """Return which of the outputs, in the order of the network, gives the answers."""
    outputs = list(model.outputs or [])
    # A Sequential of Keras 3 has no names.
    names = list(getattr(model, "output_names", [tensor.name for tensor in outputs]))
    if wanted in names:
        return names.index(wanted)
    if len(outputs) != 1 or wanted:
        raise ImportOptionError(
            f"the network has {len(outputs)} outputs, {_listed(outputs, names)}; say which gives "
            f"the answers, as in --output-layer {names[0]}"
        )
    return 0


def _listed(tensors: list[Any], names: list[str]) -> str:
    pairs = zip(names, tensors, strict=False)
    return ", ".join(f"{name!r} {text(tf.TensorShape(tensor.shape))}" for name, tensor in pairs)


def _notes(model: Any) -> Iterator[str]:
    augmenting = {type(layer).__name__ for layer in _layers(model)}
    augmenting = {name for name in augmenting if name.startswith(_AUGMENTING)}
    if augmenting:
        yield f"Switched off its augmentation: {', '.join(sorted(augmenting))}"


def _layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _reason(archive: KerasArchive, message: str) -> str:
    if any(sign in message for sign in ("locate class", "custom object", "Unknown layer")):
        first = message.partition("\n")[0]
        return f"it needs a class that is no part of Keras: {first}; {EXPORT}"
    return f"Keras cannot read what Keras {archive.keras_version} wrote: {message.splitlines()[0]}"
