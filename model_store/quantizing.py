"""Int8 variants of a version that is in the store, made and judged on the user's own pictures.

A fresh installation has no real picture to judge on, so it serves float32. With some of them the
version's float32 artifacts are quantized, held against themselves, and published as the next
version. TensorFlow is not needed: they agreed with the SavedModel when they were published.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from model_store import picture_sets, runtimes, variants, verification
from model_store.agreement import FLOAT32, INT8
from model_store.card import UNPUBLISHED, ModelCard, Variant
from model_store.errors import CalibrationError, ModelFormatError, RuntimeUnavailableError
from model_store.picture_sets import FEWEST_JUDGED, PictureSets
from model_store.reports import Report
from model_store.store import ModelStore
from model_store.variants import Bench

LIBRARIES = {"openvino": "nncf", "litert": "ai_edge_quantizer"}
"""Runtimes whose float32 artifact can be quantized, with the library that does it."""


@dataclass(frozen=True)
class Attempt:
    """An int8 variant with its reason, and the float32 one that it was made from."""

    variant: Variant
    float32: Variant

    @property
    def speed_up(self) -> float:
        """How many times faster than float32 it predicts here."""
        return self.float32.milliseconds_per_image / self.variant.milliseconds_per_image


@dataclass(frozen=True)
class Quantized:
    """What became of each attempt, and the version that has those that serve, if one does."""

    attempts: tuple[Attempt, ...]
    card: ModelCard | None

    @property
    def best(self) -> Attempt:
        """The fastest that serves; the first one where none does."""
        serving = [attempt for attempt in self.attempts if attempt.variant.serves]
        return min(
            serving,
            key=lambda attempt: attempt.variant.milliseconds_per_image,
            default=self.attempts[0],
        )

    @property
    def reason(self) -> str:
        """Why each may or may not serve, as one sentence for each."""
        return "; ".join(f"{each.variant.choice} {each.variant.reason}" for each in self.attempts)


def quantize(store: ModelStore, reference: str, images: Path, *, report: Report) -> Quantized:
    """Make an int8 variant of a version with the pictures of a folder; see `quantize_on`.

    Args:
        store: Where the version is, and its successor will be.
        reference: `name`, `name@version` or `name@alias`.
        images: Pictures, in any depth; a folder named like a label says what they show.
        report: Called with a sentence at each step.

    Raises:
        UnknownModelError, UnknownVersionError: the reference means nothing.
        CalibrationError: there are fewer than 50 pictures, or the version has nothing to quantize.
        RuntimeUnavailableError: no library that quantizes is installed.
        ModelFormatError: the artifacts have an operation that cannot be quantized.
    """
    card = store.card(*store.resolve(reference))
    check(card)
    sets = picture_sets.choose(card, images, report)
    if len(sets.judged) < FEWEST_JUDGED:
        raise CalibrationError(
            f"{images} has {len(sets.judged)} pictures; int8 is judged on at least {FEWEST_JUDGED}"
        )
    return quantize_on(store, card, sets, report=report)


def check(card: ModelCard) -> None:
    """See to it that a version can be quantized, before pictures are collected for it.

    Raises:
        CalibrationError: it has no float32 artifact for that.
        RuntimeUnavailableError: no library that quantizes it is installed.
    """
    names = [LIBRARIES[variant.runtime] for variant in _float32(card)]
    if not any(map(find_spec, names)):
        raise RuntimeUnavailableError(
            f"{' and '.join(names)} cannot be imported; the extra `int8` of petiole installs them"
        )


def quantize_on(
    store: ModelStore, card: ModelCard, sets: PictureSets, *, report: Report
) -> Quantized:
    """Make int8 variants of a version, and publish the version anew if one may serve.

    Those that do not agree, or are no faster here than the float32 one of the same runtime, are
    not kept.

    Args:
        store: Where the version is, and its successor will be.
        card: The version.
        sets: What they are calibrated on, and the other pictures that they are judged on.
        report: Called with a sentence at each step.

    Raises:
        CalibrationError: the version has nothing to quantize.
        RuntimeUnavailableError, ModelFormatError: as `quantize`.
    """
    with TemporaryDirectory() as place:
        directory = Path(place) / "version"
        verification.copy(store.fetch(card.name, card.version), card.files, directory)
        attempts = tuple(_attempts(card, directory, sets, report))
        if not any(attempt.variant.serves for attempt in attempts):
            return Quantized(attempts, None)
        report("Publishing")
        return Quantized(attempts, store.publish(directory, _draft(card, attempts)))


def is_faster(variant: Variant, float32: Variant) -> bool:
    """Say whether a variant predicts in less time than the one that it was made from."""
    return variant.milliseconds_per_image < float32.milliseconds_per_image


def _float32(card: ModelCard) -> tuple[Variant, ...]:
    """Return the variants that can be quantized; the first runtime of `LIBRARIES` comes first."""
    found = {v.runtime: v for v in card.variants if v.precision == FLOAT32 and v.serves}
    variants_ = tuple(found[name] for name in LIBRARIES if name in found)
    if not variants_:
        raise CalibrationError(
            f"{card.ref} has no {FLOAT32} variant of {' or '.join(LIBRARIES)} that serves"
        )
    return variants_


def _attempts(
    card: ModelCard, directory: Path, sets: PictureSets, report: Report
) -> Iterator[Attempt]:
    """Yield what became of each runtime's variant; one that cannot be made is told and left out.

    Raises:
        RuntimeUnavailableError, ModelFormatError: none can be made.
    """
    errors: list[Exception] = []
    float32 = _float32(card)
    for variant in float32:
        try:
            yield _attempt(card, directory, variant, sets, report)
        except (RuntimeUnavailableError, ModelFormatError) as exc:
            errors.append(exc)
            report(f"Left out {variant.runtime} {INT8}: {exc}")
    if len(errors) == len(float32):
        raise errors[0]


def _attempt(
    card: ModelCard, directory: Path, float32: Variant, sets: PictureSets, report: Report
) -> Attempt:
    """Return the int8 variant, and the float32 one with the time that it takes here."""
    name = float32.runtime
    report(f"Measuring {float32.choice}")
    network = runtimes.load(name, directory / float32.path, card, threads=1)
    bench = Bench.build(directory, card, sets, network)
    report(f"Quantizing with {len(sets.calibration)} pictures, judging on {len(sets.judged)}")
    shutil.rmtree(directory / name / INT8, ignore_errors=True)
    variant = variants.quantized(name, directory / float32.path, bench)
    milliseconds_per_image = bench.reference.milliseconds_per_image
    float32 = replace(float32, milliseconds_per_image=milliseconds_per_image)
    if variant.serves and not is_faster(variant, float32):
        shutil.rmtree(directory / name / INT8)
        variant = _slower(variant, float32)
    return Attempt(variant, float32)


def _slower(variant: Variant, float32: Variant) -> Variant:
    took, takes = float32.milliseconds_per_image, variant.milliseconds_per_image
    reason = f"it agrees, but takes {takes:.1f} ms a picture here and float32 {took:.1f}"
    return replace(variant, serves=False, reason=reason)


def _draft(card: ModelCard, attempts: tuple[Attempt, ...]) -> ModelCard:
    made = {attempt.variant.choice: attempt.variant for attempt in attempts}
    kept = (each for each in card.variants if each.choice not in made)
    variants_ = (*kept, *made.values())
    return replace(card, variants=variants_, version=UNPUBLISHED, created_at="", files={})
