"""A tiny real network that can doubt: it names a prevailing colour, and greys are strange to it."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from chaos.colours import MODEL, draft
from chaos.pictures import SIZE
from model_store import ModelCard, ModelStore, golden, runtimes
from model_store.doubts import likeness
from model_store.doubts.examples import Example, Examples
from model_store.doubts.section import (
    PHOTOGRAPHS,
    Calibration,
    Foreign,
    LabelSets,
    Novelty,
    Share,
    Trust,
    Verdicts,
)

SHARE = Share(0.95, 0.9, 0.98, 100)
TRUST = Trust(
    accuracy=SHARE,
    calibration=Calibration(1.2, "in the network", 100, 0.05, 0.01, 100),
    label_sets=LabelSets(0.9, 0.4, 100, SHARE, 1.02),
    novelty=Novelty(10, 60, 60, 0.05, SHARE, Foreign(PHOTOGRAPHS, "dogs", SHARE)),
    verdicts=Verdicts(0.9, 0.06, 0.04, right_if_confident=SHARE),
)


def publish(store_url: Path | str) -> ModelCard:
    """Publish `doubting@1` with all that a card can vouch for, and a report; return its card."""
    return _published(store_url, TRUST)


def publish_showing(store_url: Path | str) -> ModelCard:
    """Publish the same with names and thumbnails of its references."""
    return _published(store_url, TRUST, examples=_examples(shown=True))


def publish_plain(store_url: Path | str) -> ModelCard:
    """Publish the same network as `doubting`, of whose doubts nothing is known."""
    return _published(store_url, None)


def _published(
    store_url: Path | str, trust: Trust | None, examples: Examples | None = None
) -> ModelCard:
    with TemporaryDirectory() as place:
        directory = Path(place)
        _save(directory / MODEL)
        card = replace(draft("doubting", "openvino"), trust=trust)
        artifact = runtimes.find("openvino").load(directory / MODEL, card, threads=1)
        pictures = golden.write(directory, card.preprocessing, artifact.predict)
        if trust is not None:
            _likeness(runtimes.describe(artifact, _own()).features).save(directory)
            (examples or _examples(shown=False)).save(directory)
            (directory / "report.html").write_text("<!doctype html><title>A report</title>")
        return ModelStore.open(str(store_url)).publish(directory, replace(card, golden=pictures))


def _own() -> np.ndarray:
    """Return reds, greens and blues, and mixtures of two of them, [120, SIZE, SIZE, 3]."""
    generator = np.random.default_rng(0)
    tints = generator.integers(0, 60, (120, 3))
    for i, tint in enumerate(tints):
        tint[i % 3] = 220
        if i % 4 == 0:
            tint[(i + 1) % 3] = generator.integers(200, 241)
    return np.broadcast_to(tints[:, None, None], (120, SIZE, SIZE, 3)).astype(np.uint8)


def _examples(*, shown: bool) -> Examples:
    """Return what is told of every second one of them: its colour, its name, itself small."""
    images = _own()[::2]
    labels = [("red", "green", "blue")[2 * i % 3] for i in range(len(images))]
    if not shown:
        return Examples(tuple(map(Example, labels)))
    told = (Example(label, f"{i}.jpg", has_thumbnail=True) for i, label in enumerate(labels))
    return Examples(tuple(told), {i: _jpeg(image) for i, image in enumerate(images)})


def _jpeg(image: np.ndarray) -> bytes:
    content = BytesIO()
    Image.fromarray(image).save(content, "JPEG")
    return content.getvalue()


def _likeness(features: np.ndarray) -> likeness.Likeness:
    found = likeness.fit(features[::2], features[1::2])
    assert found is not None
    return found


def _save(path: Path) -> None:
    import openvino
    from openvino import opset13 as ops

    path.parent.mkdir(parents=True)
    images = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="images")
    means = ops.reduce_mean(ops.convert(images, "f32"), np.array([1, 2]), keep_dims=False)
    logits = ops.matmul(means, np.eye(3, dtype=np.float32) / 10, False, False)
    model = openvino.Model([ops.softmax(logits, axis=1)], [images], "doubting")
    openvino.save_model(model, path, compress_to_fp16=False)
