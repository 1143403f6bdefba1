"""How every training begins: a folder of its own, pictures that are checked, a backbone in memory.

What `run` and `cross_validation` have in common before anything is learned.
"""

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from model_store import heavy
from training.errors import SettingsError
from training.journal import EventFile, Journal
from training.learning import backbones
from training.learning.backbone import Backbone, Request
from training.pictures import data, inspection, sources, split
from training.pictures.data import DataSet
from training.pictures.parts import SPLITS
from training.pictures.prepared import Prepared
from training.pictures.split import Split
from training.settings import TrainingSettings, name_of


@dataclass(frozen=True)
class Start:
    """What is known before anything is looked at; `directory` is the run's own folder."""

    settings: TrainingSettings
    name: str
    started_at: str
    directory: Path


def begin(settings: TrainingSettings, journal: Journal) -> Start:
    """Return the name and the folder of a run; from now on its events are written there.

    Raises:
        SettingsError: the model's name is no name that the store takes, or a folder of training
            cannot be made.
    """
    now = datetime.now(UTC)
    name = name_of(settings)
    _make(settings.runs_dir, "runs_dir")
    # The process id tells apart two runs that start in one second.
    directory = settings.runs_dir / f"{name}-{now:%Y%m%d-%H%M%S}-{os.getpid()}"
    journal.listen(EventFile(directory))
    journal.event("run started", settings=settings.model_dump(mode="json"))
    return Start(settings, name, now.isoformat(timespec="seconds"), directory)


def check(settings: TrainingSettings, journal: Journal) -> Prepared:
    """Return the usable pictures and their split, after telling everything odd about them.

    Raises:
        DataError: nothing could be learned from these pictures; the message says all reasons.
        SettingsError: there are no pictures there, or a folder of training cannot be made.
    """
    with journal.phase("Checking the pictures"):
        source = sources.open_source(settings.image_dir, settings.split)
        _make(settings.bottleneck_dir, "bottleneck_dir")
        cache = inspection.findings_cache(settings.bottleneck_dir / "fingerprints")
        found = data.check(
            source, cache, advance=journal.count, keep_parts=settings.cross_validate is None
        )
    _tell(found, journal)
    parts = split.assign(
        found,
        validation_percentage=settings.validation_percentage,
        testing_percentage=settings.testing_percentage,
    )
    _tell_split(found, parts, journal)
    return Prepared(source, found, parts)


def load_backbone(settings: TrainingSettings, journal: Journal) -> Backbone:
    """Return the backbone that the settings name, in memory.

    Raises:
        BackboneUnavailableError: it cannot be had here.
    """
    with journal.phase("Loading TensorFlow and the backbone"):
        heavy.prepare()
        from model_store.runtimes import tensorflow  # noqa: PLC0415 - TensorFlow

        # One thread, like a worker child, so that the published times are the ones it will see.
        tensorflow.limit_threads(1)
        return backbones.find(
            Request(settings.backbone_reference, settings.input_size, settings.backbone_weights)
        )


def _make(folder: Path, name: str) -> None:
    """Make a folder of training.

    Raises:
        SettingsError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "it may not be written to"
    except OSError as exc:
        reason = str(exc.strerror)
    if reason:
        remedy = f"give another one with --{name} or PETIOLE_TRAINING_DIRECTORY"
        raise SettingsError(f"{name} is {folder}, which cannot be made: {reason}; {remedy}")


def _tell_split(found: DataSet, parts: Split, journal: Journal) -> None:
    """Tell what became of a split that the pictures came with."""
    if not (given := found.given_parts):
        return
    lacking = [part for part in SPLITS if part not in given]
    taken = f"; taken from its training pictures: {', '.join(lacking)}" if lacking else ""
    journal.note(f"The set's own split is kept: {', '.join(given)}{taken}")
    if gaps := split.gaps(parts, found.labels):
        journal.event("warning", text=f"No picture of {', '.join(gaps)}: nothing is known of it")


def _tell(found: DataSet, journal: Journal) -> None:
    aside = [asdict(one) for one in found.set_aside]
    journal.event("data checked", counts=found.counts, set_aside=aside)
    for one in found.set_aside:
        journal.event("warning", text=f"Set aside {one.path}: {one.reason}")
    for text in found.warnings:
        journal.event("warning", text=text)
