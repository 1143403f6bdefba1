"""A tiny real network, drawn with OpenVINO's operators: which of three colours prevails.

The fault harness classifies with it, and so do tests that need a model. It takes uint8
[N, 8, 8, 3] and answers the softmax of the channels' means, so that every expected probability can
be computed by hand.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from chaos.pictures import LABELS, LOGIT_SCALE, SIZE
from model_store import (
    ModelCard,
    ModelStore,
    Origin,
    PreprocessingSpec,
    Variant,
    golden,
    runtimes,
)

MODEL = "openvino/float32/model.xml"


def publish(
    store_url: Path | str,
    *,
    name: str = "colours",
    order: tuple[int, int, int] = (0, 1, 2),
    runtime: str = "openvino",
) -> ModelCard:
    """Publish the network as the next version of `name` and return its card.

    `order` says which channel each label looks at; another order is a network that errs.
    `runtime` is what workers load it with: `openvino`, or one that wraps it.
    """
    with TemporaryDirectory() as directory:
        save(Path(directory) / MODEL, order)
        card = _with_golden_pictures(draft(name, runtime), Path(directory))
        return ModelStore.open(str(store_url)).publish(Path(directory), card)


def _with_golden_pictures(card: ModelCard, directory: Path) -> ModelCard:
    artifact = runtimes.find("openvino").load(directory / MODEL, card, threads=1)
    pictures = golden.write(directory, card.preprocessing, artifact.predict)
    return replace(card, golden=pictures)


def save(path: Path, order: tuple[int, int, int]) -> None:
    """Write the network to a path; see `publish` for `order`."""
    # Importing this module alone must not cost a program OpenVINO, as it costs the tests none.
    import openvino  # noqa: PLC0415
    from openvino import opset13 as ops  # noqa: PLC0415

    path.parent.mkdir(parents=True)
    images = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="images")
    pixels = ops.convert(images, "f32")
    means = ops.reduce_mean(pixels, np.array([1, 2]), keep_dims=False)
    ordered = ops.gather(means, np.array(order), np.array(1))
    logits = ops.multiply(ordered, np.float32(LOGIT_SCALE))
    model = openvino.Model([ops.softmax(logits, axis=1)], [images], "colours")
    openvino.save_model(model, path, compress_to_fp16=False)


def draft(name: str, runtime: str) -> ModelCard:
    """Return the card of a network that `save` wrote, before it has golden pictures."""
    variant = Variant(
        runtime=runtime,
        precision="float32",
        path=MODEL,
        same_top1=1.0,
        largest_difference=0.0,
        milliseconds_per_image=0.1,
        serves=True,
        reason="the only one",
    )
    return ModelCard(
        name=name,
        labels=LABELS,
        preprocessing=PreprocessingSpec(input_size=SIZE, crop_fraction=1.0),
        variants=(variant,),
        licence="Apache-2.0",
        origin=Origin(kind="file", source="drawn in a test"),
    )
