"""Variants of a SavedModel: made, measured against it, and kept out of service if they differ.

Runs when a version is published, before its card is written.
"""

import shutil
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import agreement, choosing, fingerprints, golden, runtimes
from model_store.agreement import FLOAT32, INT8, Agreement
from model_store.card import ModelCard, Variant
from model_store.errors import ModelStoreError, RuntimeUnavailableError
from model_store.picture_sets import Pictures, PictureSets
from model_store.reports import Report
from model_store.runtimes import REFERENCE, LoadedArtifact, Quantizer


@dataclass(frozen=True)
class Measurement:
    """What an artifact answered to some images [N, H, W, 3], and how long one took (median)."""

    probabilities: NDArray[np.float32]
    milliseconds_per_image: float


@dataclass(frozen=True)
class Bench:
    """What every variant of one SavedModel is measured with.

    Attributes:
        directory: The SavedModel; artifacts are written into it, golden pictures are there.
        draft: The card without variants.
        sets: Pictures to calibrate and to judge on.
        pictures: All that are compared: golden ones, then judged ones, then those to calibrate on.
        reference: What the SavedModel answers to `pictures`.
    """

    directory: Path
    draft: ModelCard
    sets: PictureSets
    pictures: Pictures
    reference: Measurement

    @classmethod
    def build(
        cls, directory: Path, draft: ModelCard, sets: PictureSets, saved_model: LoadedArtifact
    ) -> "Bench":
        """Return the bench of a SavedModel that is loaded already."""
        drawn = Pictures.unlabelled(golden.images(directory))
        # Drawn pictures to calibrate on say nothing that the drawn ones to judge on do not.
        rest = sets.calibration if sets.real else sets.calibration[:0]
        parts = (drawn, sets.judged, rest)
        pictures = Pictures(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.class_indices for part in parts]),
        )
        return cls(directory, draft, sets, pictures, measure(saved_model, pictures.images))

    @property
    def golden(self) -> slice:
        """The rows of the golden pictures."""
        return slice(len(self.draft.golden))

    @property
    def judged(self) -> slice:
        """The rows that no variant was calibrated on and that are not golden."""
        first = len(self.draft.golden)
        return slice(first, first + len(self.sets.judged))

    def compare(self, measured: Measurement, rows: slice) -> Agreement:
        """Return how far an artifact agrees with the SavedModel on some rows."""
        return agreement.compare(
            measured.probabilities[rows],
            self.reference.probabilities[rows],
            self.pictures.class_indices[rows],
        )


def make(bench: Bench, *, report: Report) -> tuple[Variant, ...]:
    """Return the SavedModel's own entry and those of all that the runtimes could make of it.

    Artifacts are written into the directory of the SavedModel; those that may not serve are deleted
    again. Everything predicts with one thread, so TensorFlow must not have run in this process with
    another number.

    Args:
        bench: What they are measured with.
        report: Called with a sentence at each step.
    """
    variants = [_reference(bench)]
    if bench.draft.reference != REFERENCE:
        return (*variants, *_variants(bench.draft.reference, (INT8,), bench, report))
    for name in runtimes.names():
        if name != REFERENCE:
            variants += _variants(name, (FLOAT32, INT8), bench, report)
    return tuple(variants)


def own_artifact(directory: Path, draft: ModelCard) -> Path:
    """Return what a version's reference loads: the SavedModel's directory, or another artifact."""
    return directory / runtimes.OWN_ARTIFACTS.get(draft.reference, ".")


def measure(artifact: LoadedArtifact, images: NDArray[np.uint8]) -> Measurement:
    """Return an artifact's probabilities for images [N, H, W, 3], and its speed."""
    return Measurement(
        golden.one_by_one(artifact.predict, images),
        round(statistics.median(choosing.milliseconds(artifact.predict, images[:1])), 2),
    )


def judge(name: str, precision: str, path: str, *, measured: Measurement, bench: Bench) -> Variant:
    """Return the card's entry of an artifact; it serves only if it agrees with the SavedModel.

    Float32 is held against all pictures, int8 against those that it was not calibrated on.
    """
    if precision == FLOAT32:
        found = bench.compare(measured, slice(None))
        serves, reason = agreement.float32_verdict(found)
    else:
        found = bench.compare(measured, bench.judged)
        serves, reason = agreement.int8_verdict(found, real=bench.sets.real)
    return Variant(
        runtime=name,
        precision=precision,
        path=path,
        same_top1=found.same_top1,
        largest_difference=found.largest_difference,
        milliseconds_per_image=measured.milliseconds_per_image,
        serves=serves,
        reason=reason,
        tolerance=agreement.tolerance(precision, bench.compare(measured, bench.golden)),
        judged_on=found.n,
        same_top1_interval=found.interval,
    )


def _reference(bench: Bench) -> Variant:
    milliseconds_per_image = bench.reference.milliseconds_per_image
    name = bench.draft.reference
    path = own_artifact(bench.directory, bench.draft).relative_to(bench.directory).as_posix()
    called = "SavedModel" if name == REFERENCE else f"imported file's own network in {name}"
    reason = f"it is the {called}, which the others are measured against"
    return Variant(name, FLOAT32, path, 1.0, 0.0, milliseconds_per_image, True, reason)


def _variants(
    name: str, wanted: tuple[str, ...], bench: Bench, report: Report
) -> Iterator[Variant]:
    try:
        runtime = runtimes.find(name)
        quantizes = isinstance(runtime, Quantizer) and len(bench.sets.calibration) > 0
        precisions = [precision for precision in wanted if quantizes or precision == FLOAT32]
    except ModelStoreError as exc:
        report(f"Left out {name}: {exc}")
        return
    for precision in precisions:
        report(f"Converting for {name} {precision}")
        try:
            yield _variant(name, precision, bench)
        except ModelStoreError as exc:
            report(f"Left out {name} {precision}: {exc}")


def quantized(name: str, source: Path, bench: Bench) -> Variant:
    """Return the int8 variant of a SavedModel, or of another artifact of the same runtime.

    Raises:
        ModelFormatError: it cannot be quantized.
        RuntimeUnavailableError: the runtime, or the library that quantizes, is not installed.
    """
    runtime, place = runtimes.find(name), bench.directory / name / INT8
    if not isinstance(runtime, Quantizer):
        raise RuntimeUnavailableError(f"runtime {name} makes no int8 artifacts")
    artifact = runtime.quantize(source, place, bench.sets.calibration.images)
    return _judged(name, INT8, artifact, bench)


def _variant(name: str, precision: str, bench: Bench) -> Variant:
    if precision == INT8:
        return quantized(name, own_artifact(bench.directory, bench.draft), bench)
    artifact = runtimes.find(name).convert(bench.directory, bench.directory / name / precision)
    return _judged(name, precision, artifact, bench)


def _judged(name: str, precision: str, artifact: Path, bench: Bench) -> Variant:
    """Return the variant of an artifact, whose files are deleted if it may not serve."""
    place = bench.directory / name / precision
    loaded = runtimes.load(name, artifact, bench.draft, threads=1)
    measured = measure(loaded, bench.pictures.images)
    path = artifact.relative_to(bench.directory).as_posix()
    variant = judge(name, precision, path, measured=measured, bench=bench)
    if not variant.serves:
        shutil.rmtree(place)
    elif precision != FLOAT32:
        network = runtimes.find(name).load(artifact, bench.draft, threads=1)
        fingerprints.write(place, bench.draft, network.predict)
    return variant
