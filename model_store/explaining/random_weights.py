"""A network that knows nothing: what maps are judged against that look right and are not.

Source: the model parameter randomization test of Adebayo et al. 2018.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model_store import runtimes
from model_store.agreement import FLOAT32
from model_store.errors import RuntimeUnavailableError

if TYPE_CHECKING:
    from model_store.serving import ServedModel

RUNTIME = "openvino"
SEED = 2018
_LAYERS = frozenset({"Convolution", "GroupConvolution", "MatMul"})


def shuffled(model: ServedModel, directory: Path) -> ServedModel:
    """Return a model whose layers have their own weights in a random order.

    So each layer keeps the spread that it had, and what it had learned is gone. The network is
    written into a directory.

    Raises:
        RuntimeUnavailableError: the version has no float32 file for OpenVINO.
    """
    variants = model.card.variants
    fits = [v for v in variants if v.runtime == RUNTIME and v.precision == FLOAT32]
    if not fits:
        raise RuntimeUnavailableError(f"{model.card.ref} has no float32 file for OpenVINO")
    destination = directory / fits[0].path
    _write(model.directory / fits[0].path, destination)
    artifact = runtimes.find(RUNTIME).load(destination, model.card, threads=1)
    return replace(model, variant=fits[0], artifact=artifact, directory=directory)


def _write(source: Path, destination: Path) -> None:
    import openvino  # noqa: PLC0415 - may be missing

    network = openvino.Core().read_model(source)
    draw = np.random.default_rng(SEED)
    for layer in network.get_ops():
        if layer.get_type_name() in _LAYERS:
            _shuffle(layer, draw, openvino)
    destination.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(network, destination, compress_to_fp16=False)


def _shuffle(layer: Any, draw: np.random.Generator, openvino: Any) -> None:
    port = layer.input_value(1)
    if port.get_node().get_type_name() == "Constant":
        weights = np.array(port.get_node().data)
        mixed = draw.permutation(weights.ravel()).reshape(weights.shape)
        layer.input(1).replace_source_output(openvino.op.Constant(mixed).output(0))
