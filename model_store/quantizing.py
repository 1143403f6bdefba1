"""Int8 variants of a version that is in the store, made and judged on the user's own pictures.

A fresh installation has no real picture to judge on, so it serves float32. With a folder of them
the version's float32 artifact is quantized, held against itself, and published as the next version.
TensorFlow is not needed: the float32 artifact agreed with the SavedModel when it was published.
"""

import shutil
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from model_store import picture_sets, runtimes, variants
from model_store.agreement import FLOAT32, INT8
from model_store.card import UNPUBLISHED, ModelCard, Variant
from model_store.errors import CalibrationError, RuntimeUnavailableError
from model_store.picture_sets import FEWEST_JUDGED, PictureSets
from model_store.reports import Report
from model_store.store import ModelStore
from model_store.variants import Bench

# What quantizes its own float32 artifact; LiteRT's int8 is made from the SavedModel by TensorFlow.
RUNTIME = "openvino"


@dataclass(frozen=True)
class Quantized:
    """What became of it: the variant with its reason, and the version that has it, if it serves."""

    variant: Variant
    float32: Variant
    card: ModelCard | None

    @property
    def speed_up(self) -> float:
        """How many times faster than float32 it predicts here."""
        return self.float32.milliseconds_per_image / self.variant.milliseconds_per_image


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
        RuntimeUnavailableError: OpenVINO or NNCF is not installed.
        ModelFormatError: the artifact has an operation that cannot be quantized.
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
    """See to it that a version has what can be quantized, before pictures are collected for it.

    Raises:
        CalibrationError: it has not.
        RuntimeUnavailableError: NNCF is not installed.
    """
    _float32(card)
    if find_spec("nncf") is None:
        raise RuntimeUnavailableError("NNCF is not installed; `pip install nncf` makes int8")


def quantize_on(
    store: ModelStore, card: ModelCard, sets: PictureSets, *, report: Report
) -> Quantized:
    """Make an int8 variant of a version, and publish the version anew if the variant may serve.

    Args:
        store: Where the version is, and its successor will be.
        card: The version.
        sets: What it is calibrated on, and the other pictures that it is judged on.
        report: Called with a sentence at each step.

    Raises:
        CalibrationError: the version has nothing to quantize.
        RuntimeUnavailableError, ModelFormatError: as `quantize`.
    """
    float32 = _float32(card)
    with TemporaryDirectory() as place:
        directory = _copied(store, card, Path(place) / "version")
        report("Measuring float32")
        variant, float32 = _made(card, directory, float32, sets, report)
        if not (variant.serves and is_faster(variant, float32)):
            return Quantized(_slower(variant, float32), float32, None)
        report("Publishing")
        return Quantized(variant, float32, store.publish(directory, _draft(card, variant)))


def is_faster(variant: Variant, float32: Variant) -> bool:
    """Say whether a variant predicts in less time than the one that it was made from."""
    return variant.milliseconds_per_image < float32.milliseconds_per_image


def _float32(card: ModelCard) -> Variant:
    for variant in card.variants:
        if (variant.runtime, variant.precision, variant.serves) == (RUNTIME, FLOAT32, True):
            return variant
    raise CalibrationError(f"{card.ref} has no {RUNTIME} {FLOAT32} variant that serves to quantize")


def _copied(store: ModelStore, card: ModelCard, directory: Path) -> Path:
    """Return a copy of a version's files without its earlier int8 artifact of the same runtime."""
    source = store.fetch(card.name, card.version)
    for path in card.files:
        if not path.startswith(f"{RUNTIME}/{INT8}/"):
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, directory / path)
    return directory


def _made(
    card: ModelCard, directory: Path, float32: Variant, sets: PictureSets, report: Report
) -> tuple[Variant, Variant]:
    """Return the int8 variant, and the float32 one with the time that it takes here."""
    runtime = runtimes.find(RUNTIME)
    network = runtime.load(directory / float32.path, card, threads=1)
    bench = Bench.build(directory, card, sets, network)
    report(f"Quantizing with {len(sets.calibration)} pictures, judging on {len(sets.judged)}")
    variant = variants.quantized(RUNTIME, directory / float32.path, bench)
    milliseconds_per_image = bench.reference.milliseconds_per_image
    return variant, replace(float32, milliseconds_per_image=milliseconds_per_image)


def _slower(variant: Variant, float32: Variant) -> Variant:
    if not variant.serves:
        return variant
    took, takes = float32.milliseconds_per_image, variant.milliseconds_per_image
    reason = f"it agrees, but takes {takes:.1f} ms a picture here and float32 {took:.1f}"
    return replace(variant, serves=False, reason=reason)


def _draft(card: ModelCard, variant: Variant) -> ModelCard:
    others = (each for each in card.variants if each.choice != variant.choice)
    return replace(card, variants=(*others, variant), version=UNPUBLISHED, created_at="", files={})
