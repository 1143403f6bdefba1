"""Imports a SavedModel directory, of TF2 or TF1, by one of its signatures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_store import graphs, verification
from model_store.card import Channels, Origin
from model_store.errors import ModelFormatError
from model_store.importers import ImportOptions, augmentation, operations
from model_store.importers.networks import (
    Network,
    fed,
    freeze,
    of_colours,
    refuse_fixed_batch,
    side,
)

ROWS_RANK = 2


def read(source: str, options: ImportOptions) -> Network:
    """Return the classifier in a SavedModel directory.

    Raises:
        ModelFormatError: it cannot be loaded, or has no signature that classifies pictures.
        ImportOptionError: the input size is missing, or another one than the signature has.
    """
    path = Path(source)
    try:
        loaded = tf.saved_model.load(source)
    except (OSError, ValueError, KeyError, tf.errors.OpError) as exc:
        raise ModelFormatError(
            f"TensorFlow cannot load the SavedModel {source}: {operations.explained(str(exc))}"
        ) from exc
    return network(
        loaded.signatures, options, origin(path, "file", f"SavedModel {path.name}"), beside=path
    )


def origin(directory: Path, kind: str, source: str) -> Origin:
    """Return where the network came from, with the digest of its graph."""
    graph = next(directory.glob("saved_model.pb*"))
    return Origin(kind, source, file=graph.name, sha256=verification.file_digest(graph))


def network(
    signatures: Any,
    options: ImportOptions,
    where: Origin,
    *,
    beside: Path | None = None,
    usual: tuple[Channels, Channels] | tuple[None, None] = (None, None),
) -> Network:
    """Return the classifier behind one of a loaded SavedModel's signatures.

    `usual` is the mean and the scale that such networks expect, where there is a convention.

    Raises:
        ModelFormatError: no signature classifies pictures.
        ImportOptionError: the input size is missing, or another one than the signature has.
    """
    name = _signature(dict(signatures))
    signature = signatures[name]
    taken, given = _input(name, signature, options), _output(name, signature, options)
    spec = _inputs(signature)[taken]
    what = f"input {taken!r} of signature {name!r}"
    size = side(spec.shape, spec.dtype, wanted=options.input_size, what=what)
    refuse_fixed_batch(spec.shape, what=what)

    call = _call(signature, taken, given)
    call = of_colours(call, spec.shape, spec.dtype, options.channel_order)
    function = freeze(call, input_size=size, dtype=spec.dtype)
    found = augmentation.found(signature.graph)
    return Network(
        function,
        fed(spec.dtype),
        size,
        where,
        beside,
        mean=usual[0],
        scale=usual[1],
        notes=(f"Switched off its augmentation: {', '.join(found)}",) if found else (),
    )


def _call(signature: Any, taken: str, given: str) -> Callable[[tf.Tensor], tf.Tensor]:
    if not any(operation.type == "VariableV2" for operation in signature.graph.get_operations()):
        return lambda pixels: signature(**{taken: pixels})[given]
    # TF1's reference variables lose their values when a function calls the signature, so they are
    # made constants first, and the order of the outputs is all that is left of their names.
    frozen = graphs.frozen(signature)
    name = signature.structured_outputs[given].name
    position = [tensor.name for tensor in signature.outputs].index(name)
    return lambda pixels: frozen(pixels)[position]


def _signature(signatures: dict[str, Any]) -> str:
    if graphs.SIGNATURE in signatures:
        return graphs.SIGNATURE
    # Old hub modules name it so; their other signatures give features.
    for name in ("image_classification", "default"):
        if name in signatures:
            return name
    if len(signatures) == 1:
        return next(iter(signatures))
    found = ", ".join(map(repr, sorted(signatures))) or "none"
    raise ModelFormatError(
        f"the SavedModel has the signatures {found}; expected {graphs.SIGNATURE!r}"
    )


def _inputs(signature: Any) -> dict[str, tf.TensorSpec]:
    inputs: dict[str, tf.TensorSpec] = signature.structured_input_signature[1]
    return inputs


def _input(name: str, signature: Any, options: ImportOptions) -> str:
    inputs = _inputs(signature)
    if len(inputs) != 1 or options.input_layer not in (None, *inputs):
        raise ModelFormatError(
            f"signature {name!r} takes {_listed(inputs)}; expected one input, the pictures: make "
            "others constants where it was made, and export that"
            + _not_there("--input-layer", options.input_layer)
        )
    return next(iter(inputs))


def _output(name: str, signature: Any, options: ImportOptions) -> str:
    outputs = signature.structured_outputs
    if options.output_layer in outputs:
        return str(options.output_layer)
    rows: list[str] = [key for key, tensor in outputs.items() if _may_be_rows(tensor)]
    if len(rows) != 1 or options.output_layer:
        raise ModelFormatError(
            f"signature {name!r} gives {_listed(outputs)}; expected one output [N, classes] of "
            "floats, or its name with --output-layer"
            + _not_there("--output-layer", options.output_layer)
        )
    return rows[0]


def _may_be_rows(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating and tensor.shape.rank in (None, ROWS_RANK))


def _listed(tensors: dict[str, Any]) -> str:
    return ", ".join(
        f"{name!r} ({tensor.dtype.name} {tensor.shape})" for name, tensor in sorted(tensors.items())
    )


def _not_there(option: str, value: str | None) -> str:
    return f" ({option} is {value!r})" if value else ""
