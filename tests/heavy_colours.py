"""The network that names the prevailing colour, as heavy as a real one: int8 makes it faster.

With `wide`, a channel that nobody needs is a thousand times as strong as the colours, so that int8,
with one range for all channels of a layer, loses those and answers always the same.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

from chaos.pictures import LABELS
from model_store import ModelCard, ModelStore, Origin, PreprocessingSpec, Variant, golden, runtimes

MODEL = "openvino/float32/model.xml"
SIZE, CHANNELS, LAYERS = 32, 96, 3


def publish(store_url: Path | str, *, name: str = "heavy", wide: bool = False) -> ModelCard:
    """Publish the network as the next version of `name` and return its card."""
    with TemporaryDirectory() as place:
        directory = Path(place)
        _save(directory / MODEL, 1000.0 if wide else 1.0)
        card = _card(name)
        artifact = runtimes.find("openvino").load(directory / MODEL, card, threads=1)
        pictures = golden.write(directory, card.preprocessing, artifact.predict)
        store = ModelStore.open(str(store_url))
        return store.publish(directory, replace(card, golden=pictures))


def _save(path: Path, strength: float) -> None:
    path.parent.mkdir(parents=True)
    images = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="images")
    pixels = ops.divide(ops.convert(images, "f32"), np.float32(255))
    colours = ops.transpose(pixels, np.array([0, 3, 1, 2]))
    # Three colours and their sum, of which the second layer takes the colours alone.
    both = _convolved(colours, np.vstack([np.eye(3), np.full((1, 3), strength)])[..., None, None])
    again = _convolved(both, np.eye(3, 4)[..., None, None])
    means = ops.reduce_mean(again, np.array([2, 3]), keep_dims=False)
    logits = ops.add(ops.multiply(means, np.float32(20)), _ballast(again))
    model = openvino.Model([ops.softmax(logits, axis=1)], [images], "heavy")
    openvino.save_model(model, path, compress_to_fp16=False)


def _ballast(colours: openvino.Node) -> openvino.Node:
    """Return next to nothing [N, 3], the mean of layers that cost what a real network's do."""
    random = np.random.default_rng(0)
    layer, n = colours, 3
    for _ in range(LAYERS):
        layer = _convolved(layer, random.normal(0, (9 * n) ** -0.5, (CHANNELS, n, 3, 3)))
        n = CHANNELS
    means = ops.reduce_mean(layer, np.array([2, 3]), keep_dims=False)
    weights = random.normal(0, 1e-3, (CHANNELS, len(LABELS))).astype(np.float32)
    return ops.matmul(means, weights, transpose_a=False, transpose_b=False)


def _convolved(layer: openvino.Node, kernel: NDArray[np.floating]) -> openvino.Node:
    ahead = [kernel.shape[-1] // 2] * 2
    return ops.relu(ops.convolution(layer, kernel.astype(np.float32), [1, 1], ahead, ahead, [1, 1]))


def _card(name: str) -> ModelCard:
    variant = Variant("openvino", "float32", MODEL, 1.0, 0.0, 5.0, True, "the only one")
    return ModelCard(
        name=name,
        labels=LABELS,
        preprocessing=PreprocessingSpec(input_size=SIZE, crop_fraction=1.0),
        variants=(variant,),
        licence="Apache-2.0",
        origin=Origin(kind="file", source="drawn in a test"),
        reference="openvino",
    )
