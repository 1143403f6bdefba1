"""The doubts of a version that is in the store, measured on a folder of labelled photographs.

A model from elsewhere gets them so, and one from here with other pictures. The network stays as it
is; what is fitted goes beside it into the next version. TensorFlow is needed only where no other
runtime serves the version.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from model_store import ModelCard, ModelStore
from model_store.doubts import scaling
from model_store.doubts.section import AFTER_NETWORK
from training.calibration import looking
from training.calibration.looking import Looking, Parts
from training.calibration.next_version import NextVersion
from training.errors import DataError
from training.journal import Journal
from training.judging import evaluation, trust
from training.judging.evaluation import Evaluation, TestSet
from training.judging.temperature import fit_temperature
from training.judging.trust import FEWEST_PICTURES, Material, Measured, Seen
from training.pictures import data, inspection, references, sources
from training.pictures.data import DataSet
from training.pictures.sources import Source
from training.reporting import doubt_lines, record
from training.reporting.record import Run, RunData
from training.settings import TrainingPlaces


@dataclass(frozen=True)
class Wanted:
    """What to calibrate: `name`, `name@version` or `name@alias`, and on which pictures.

    `images` has a folder for each label; `foreign` has photographs of other things, in any depth.
    With `keep_thumbnails` the version shows its references to whoever may ask the service.
    """

    reference: str
    images: Path
    foreign: Path | None = None
    keep_thumbnails: bool = False


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The new version, and what was measured of it."""

    card: ModelCard
    measured: Measured
    found: Evaluation


def calibrate(store: ModelStore, wanted: Wanted, journal: Journal) -> Calibrated:
    """Measure the doubts of a version and publish it anew with them; return what came of it.

    Raises:
        UnknownModelError, UnknownVersionError: the reference means nothing.
        SettingsError: a folder is none, or has no pictures.
        DataError: there are too few pictures of the version's labels.
        RuntimeUnavailableError: none of its runtimes is installed.
    """
    card = store.card(*store.resolve(wanted.reference))
    with journal.phase("Checking the pictures"):
        source, found = _checked(card, wanted.images, journal)
    version = Looking.of(store, card, source, journal)
    with journal.phase("Answering the pictures"):
        parts = version.parts(found)
        others = looking.others(
            version, wanted.foreign, {one.digest for one in found.pictures}, journal
        )
    with journal.phase("Measuring doubts"):
        raw = Material(card.labels, parts.validation, parts.testing, parts.references, others)
        judged, temperature = _evaluated(raw)
        calibration = trust.calibration_of(
            judged, applied=AFTER_NETWORK, fitted_on=len(parts.validation)
        )
        measured = trust.measure(_scaled(raw, temperature), calibration)
    if measured is None:
        raise DataError(_too_few(parts, wanted.images))
    if measured.likeness is not None:
        kept = references.examples(parts.shown, source.read, show=wanted.keep_thumbnails)
        measured = replace(measured, examples=kept)
    following = NextVersion(store, card, version, measured, judged)
    with journal.phase("Publishing"):
        published = following.publish(_run(wanted, card, found, parts, journal), wanted.foreign)
    return Calibrated(published, measured, judged)


def _checked(card: ModelCard, images: Path, journal: Journal) -> tuple[Source, DataSet]:
    """Return the pictures of the version's labels; others are told and left out."""
    source = sources.open_source(images, "content")
    cache = inspection.findings_cache(TrainingPlaces().directory / "features" / "fingerprints")
    found = data.check(source, cache, advance=journal.count, keep_parts=False)
    for one in found.set_aside:
        journal.event("warning", text=f"Set aside {one.path}: {one.reason}")
    strange = sorted({p.label for p in found.pictures if p.label not in card.labels})
    for label in strange:
        journal.note(f"Left out the folder {label}: {card.ref} has no such label")
    kept = tuple(picture for picture in found.pictures if picture.label in card.labels)
    if not kept:
        shown = ", ".join(card.labels[:5])
        raise DataError(f"no folder in {images} is called like a label of {card.ref}: {shown}, …")
    return source, replace(found, pictures=kept)


def _evaluated(material: Material) -> tuple[Evaluation, float]:
    """Return the evaluation of the test pictures, and the temperature of the validation ones."""
    validation, testing = material.validation, material.testing
    if min(len(validation), len(testing)) == 0:
        raise DataError("there are no pictures left to fit or to judge on; give more")
    temperature = fit_temperature(scaling.logits_of(validation.probabilities), validation.truth)
    logits = scaling.logits_of(testing.probabilities).astype(np.float32)
    test = TestSet(material.labels, testing.paths, testing.truth, logits, temperature)
    return evaluation.evaluate(test), temperature


def _scaled(material: Material, temperature: float) -> Material:
    """Return the same with probabilities as they will be served."""

    def served(seen: Seen) -> Seen:
        return replace(seen, probabilities=scaling.scaled(seen.probabilities, temperature))

    others = material.foreign
    return replace(
        material,
        validation=served(material.validation),
        testing=served(material.testing),
        foreign=replace(others, seen=served(others.seen)) if others else None,
    )


def _too_few(parts: Parts, images: Path) -> str:
    return (
        f"{images} leaves {len(parts.validation)} pictures to fit and {len(parts.testing)} to judge"
        f" on; {FEWEST_PICTURES} of each are needed, so give about {5 * FEWEST_PICTURES} or more"
    )


def _run(wanted: Wanted, card: ModelCard, found: DataSet, parts: Parts, journal: Journal) -> Run:
    said = {"calibrated from": card.ref, "images": str(wanted.images)}
    if wanted.foreign is not None:
        said["foreign"] = str(wanted.foreign)
    return Run(
        name=card.name,
        version=None,
        settings=said,
        versions=record.versions(),
        data=RunData(parts.counts, found.set_aside),
        phases_seconds=dict(journal.phases_seconds),
        curves={},
        data_fingerprint=found.fingerprint,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        gate="",
        is_in_version=True,
    )


def lines(found: Calibrated) -> Iterator[str]:
    """Yield what was measured, for people."""
    n, after = found.found.pictures, found.found.after.expected_calibration_error
    before = found.found.before.expected_calibration_error
    yield f"Accuracy = {100 * found.found.top1.value:.1f}% (N={n})"
    temperature = found.found.temperature
    yield f"Calibration error = {after:.3f} ({before:.3f} before, temperature {temperature:.2f})"
    yield from doubt_lines.of(found.measured.trust)
