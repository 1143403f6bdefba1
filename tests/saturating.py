"""A network whose sums of bytes saturate where the CPU has no VNNI, if int8 is made carelessly.

All weights of its middle layer are as large as int8 has them, and pairs of products of such with
large activations are more than 16 bits hold.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import nncf
import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

from model_store import (
    ModelCard,
    ModelStore,
    Origin,
    PreprocessingSpec,
    Variant,
    drawings,
    fingerprints,
    golden,
    runtimes,
)
from model_store.doubts.section import Trust
from model_store.runtimes import openvino as openvino_runtime

NAME = "saturating"
FLOAT32, INT8 = "openvino/float32/model.xml", "openvino/int8/model.xml"
SIZE, CHANNELS, CLASSES = 32, 64, 6

Quantize = Callable[[Path, Path, NDArray[np.uint8]], None]


def carefully(source: Path, folder: Path, images: NDArray[np.uint8]) -> None:
    """Quantize as the product does."""
    runtimes.find("openvino").quantize(source, folder, images)


def carelessly(source: Path, folder: Path, images: NDArray[np.uint8]) -> None:
    """Quantize without the fix for sums that saturate."""
    source_model = openvino.Core().read_model(source)
    made = openvino_runtime.quantized(nncf, source_model, images, overflow_fix="DISABLE")
    openvino.save_model(made, folder / "model.xml", compress_to_fp16=False)


def publish(
    store: ModelStore,
    quantize: Quantize,
    *,
    has_fingerprint: bool = True,
    trust: Trust | None = None,
) -> ModelCard:
    """Publish the network with an int8 variant that serves where it was made."""
    with TemporaryDirectory() as place:
        directory = Path(place)
        for path in (FLOAT32, INT8):
            (directory / path).parent.mkdir(parents=True)
        _save(directory / FLOAT32)
        images, draft = drawings.textures(20, input_size=SIZE), card()
        quantize(directory / FLOAT32, (directory / INT8).parent, images)
        load = runtimes.find("openvino").load
        if has_fingerprint:
            int8 = load(directory / INT8, draft, threads=1)
            fingerprints.write((directory / INT8).parent, draft, int8.predict)
        draft = replace(draft, trust=trust)
        float32 = runtimes.load("openvino", directory / FLOAT32, draft, threads=1)
        pictures = golden.write(directory, draft.preprocessing, float32.predict)
        return store.publish(directory, replace(draft, golden=pictures))


def _save(path: Path) -> None:
    random = np.random.default_rng(0)
    images = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="images")
    pixels = ops.transpose(ops.convert(images, "f32"), np.array([0, 3, 1, 2]))
    bright = _convolved(pixels, np.abs(random.normal(0, 1, (CHANNELS, 3, 3, 3))))
    mixed = _convolved(bright, random.choice([-1.0, 1.0], (CHANNELS, CHANNELS, 3, 3)))
    means = ops.reduce_mean(mixed, np.array([2, 3]), keep_dims=False)
    weights = random.normal(0, 1e-4, (CHANNELS, CLASSES)).astype(np.float32)
    logits = ops.matmul(means, weights, transpose_a=False, transpose_b=False)
    model = openvino.Model([ops.softmax(logits, axis=1)], [images], NAME)
    openvino.save_model(model, path, compress_to_fp16=False)


def _convolved(layer: openvino.Node, kernel: NDArray[np.floating]) -> openvino.Node:
    folded = ops.convolution(layer, kernel.astype(np.float32), [1, 1], [1, 1], [1, 1], [1, 1])
    return ops.relu(folded)


def card() -> ModelCard:
    """Return the card before it is published."""
    float32 = Variant("openvino", "float32", FLOAT32, 1.0, 0.0, 5.0, True, "the only one")
    int8 = replace(float32, precision="int8", path=INT8, tolerance=0.5, same_top1=0.99)
    return ModelCard(
        name=NAME,
        labels=tuple("abcdef"),
        preprocessing=PreprocessingSpec(input_size=SIZE, crop_fraction=1.0),
        variants=(float32, replace(int8, judged_on=200)),
        licence="Apache-2.0",
        origin=Origin(kind="file", source="drawn in a test"),
        reference="openvino",
    )
