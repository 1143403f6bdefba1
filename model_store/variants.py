"""Variants of a SavedModel: made, measured against it, and kept out of service if they differ.

Runs when a version is published, before its card is written.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store import runtimes
from model_store.card import ModelCard, Variant
from model_store.errors import ModelStoreError
from model_store.runtimes import REFERENCE, LoadedArtifact

PRECISION = "float32"
LARGEST_DIFFERENCE = 1e-3
TIMED_PREDICTIONS = 20
TEXTURE_SIDES = (3, 7, 28, 112)


@dataclass(frozen=True)
class Measurement:
    """What an artifact answered on some images [N, H, W, 3], and how long one took (median)."""

    probabilities: NDArray[np.float32]
    milliseconds_per_image: float


def make(
    saved_model: Path,
    draft: ModelCard,
    *,
    images: NDArray[np.uint8],
    report: Callable[[str], None],
) -> tuple[Variant, ...]:
    """Return the SavedModel's own entry and one for each runtime that could convert it.

    Artifacts are written into the directory of the SavedModel. Everything predicts with one thread,
    so TensorFlow must not have run in this process with another number.

    Args:
        saved_model: Directory of the SavedModel.
        draft: The card without variants.
        images: Pictures to compare on, uint8 [N, H, W, 3].
        report: Called with a sentence at each step.
    """
    report("Measuring the SavedModel")
    reference = _measure(REFERENCE, saved_model, draft, images)
    variants = [judge(REFERENCE, ".", reference, reference)]
    for name in runtimes.names():
        if name != REFERENCE:
            report(f"Converting for {name}")
            try:
                variants.append(_converted(name, saved_model, draft, images, reference))
            except ModelStoreError as exc:
                report(f"Left out {name}: {exc}")
    return tuple(variants)


def judge(name: str, path: str, measured: Measurement, reference: Measurement) -> Variant:
    """Return the card's entry of an artifact; it serves only if it agrees with the SavedModel.

    Float32 artifacts must have the same best label on every picture and no probability that is
    further than `LARGEST_DIFFERENCE` from the SavedModel's.
    """
    top1 = measured.probabilities.argmax(axis=1) == reference.probabilities.argmax(axis=1)
    difference = np.abs(measured.probabilities - reference.probabilities).max()
    same_top1, largest_difference = float(top1.mean()), float(difference)
    serves = same_top1 == 1 and largest_difference <= LARGEST_DIFFERENCE
    return Variant(
        runtime=name,
        precision=PRECISION,
        path=path,
        same_top1=same_top1,
        largest_difference=largest_difference,
        milliseconds_per_image=measured.milliseconds_per_image,
        serves=serves,
        reason=_reason(path, serves, len(top1)),
    )


def textures(n: int, *, input_size: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return `n` drawn pictures [n, input_size, input_size, 3] with detail at every scale.

    They stand in for photographs where none are at hand: like those, they have more contrast the
    coarser the detail is.
    """
    generator = np.random.default_rng(seed)
    return np.stack([_texture(generator, input_size) for _ in range(n)])


def _texture(generator: np.random.Generator, input_size: int) -> NDArray[np.uint8]:
    total = np.zeros((input_size, input_size, 3), np.float32)
    for i, side in enumerate(TEXTURE_SIDES):
        noise = generator.integers(0, 256, (side, side, 3), np.uint8)
        layer = Image.fromarray(noise).resize((input_size, input_size), Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float32) / 2 ** (i + 1)
    return total.clip(0, 255).astype(np.uint8)


def _converted(
    name: str,
    saved_model: Path,
    draft: ModelCard,
    images: NDArray[np.uint8],
    reference: Measurement,
) -> Variant:
    artifact = runtimes.find(name).convert(saved_model, saved_model / name / PRECISION)
    measured = _measure(name, artifact, draft, images)
    return judge(name, artifact.relative_to(saved_model).as_posix(), measured, reference)


def _measure(name: str, artifact: Path, draft: ModelCard, images: NDArray[np.uint8]) -> Measurement:
    loaded = runtimes.find(name).load(artifact, draft, threads=1)
    probabilities = np.concatenate([loaded.predict(images[i : i + 1]) for i in range(len(images))])
    return Measurement(probabilities, _milliseconds(loaded, images[:1]))


def _milliseconds(loaded: LoadedArtifact, images: NDArray[np.uint8]) -> float:
    seconds = []
    for _ in range(TIMED_PREDICTIONS):
        started = time.perf_counter()
        loaded.predict(images)
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1000, 2)


def _reason(path: str, serves: bool, n: int) -> str:
    if path == ".":
        return "it is the SavedModel, which the others are measured against"
    verb = "agrees" if serves else "does not agree"
    return (
        f"{verb} with the SavedModel on {n} pictures (bar: same top-1 on all, "
        f"probabilities within {LARGEST_DIFFERENCE})"
    )
