"""What a run leaves: the published version, and the files that were asked for by flags."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from model_store import ModelCard, ModelStore, Origin, heavy, pipeline
from model_store.calibration import CalibrationSets
from model_store.errors import CorruptVersionError, ModelFormatError
from model_store.publishing import SAVED_MODEL
from training import whole
from training.errors import SettingsError, TrainingError
from training.publishing.trained import Trained
from training.settings import TrainingSettings

# A file of every version that training made: what the model is, beside the model.
DESCRIPTION = "training.json"


def refuse_bad_places(settings: TrainingSettings) -> None:
    """Find out before the work is done whether its results can be written.

    Raises:
        SettingsError: saved_model_dir is not empty, and not what a killed run left; or a place
            cannot be written.
    """
    files = {"output_graph": settings.output_graph, "output_labels": settings.output_labels}
    for name, file in files.items():
        if file is not None and (file.is_dir() or not _can_be_made(file)):
            raise SettingsError(f"{name} is {file}, where no file can be written; give another")
    place = settings.saved_model_dir
    if place is not None and not _can_be_made(place):
        raise SettingsError(f"saved_model_dir is {place}, which cannot be made; give another")
    if place is None or not place.exists() or whole.is_unfinished(place):
        return
    if not place.is_dir() or any(place.iterdir()):
        raise SettingsError(f"saved_model_dir is {place}, which is not empty; give a new folder")


def _can_be_made(path: Path) -> bool:
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def published(store: ModelStore, name: str, trained: Trained) -> ModelCard | None:
    """Return the card of the latest version if it is this model, bit for bit, else None.

    So a run that was killed after it had published does not publish the same once more.
    """
    versions = store.versions(name)
    try:
        card = store.card(name, versions[-1]) if versions else None
    except (CorruptVersionError, ModelFormatError):
        return None
    digest = hashlib.sha256(trained.description).hexdigest()
    return card if card is not None and card.files.get(DESCRIPTION) == digest else None


def publish(
    store: ModelStore,
    name: str,
    trained: Trained,
    sets: CalibrationSets,
    *,
    run: str,
    report: Callable[[str], None],
) -> ModelCard:
    """Publish the model as the next version of `name` and return its card.

    Args:
        store: Where it is published.
        name: The model's name.
        trained: The model.
        sets: Pictures that its variants are held against it on, and calibrated on.
        run: Name of the run that made it, for the card's origin.
        report: Called with a short sentence at the start of each step.
    """
    with whole.folder(Path(tempfile.gettempdir()), "petiole-train-") as place:
        directory = place / name
        _save(trained, directory)
        (directory / DESCRIPTION).write_bytes(trained.description)
        card = draft(name, trained, run)
        return pipeline.publish(store, directory, card, sets=sets, report=report)


def draft(name: str, trained: Trained, run: str) -> ModelCard:
    """Return the card of a model that is not published yet."""
    backbone = trained.backbone
    return ModelCard(
        name=name,
        labels=trained.labels,
        preprocessing=backbone.spec,
        variants=(),
        licence=backbone.licence,
        origin=Origin(
            kind="training",
            source=f"run {run} on {backbone.origin.source}",
            file=backbone.origin.file,
            sha256=backbone.origin.sha256,
        ),
        metrics={**trained.metrics, "temperature": trained.temperature},
    )


def write_files(settings: TrainingSettings, trained: Trained) -> list[Path]:
    """Write frozen graph, labels and SavedModel where flags asked for them; return their places.

    Raises:
        TrainingError: a place cannot be written.
    """
    try:
        return list(_write_files(settings, trained))
    except OSError as exc:
        raise TrainingError(
            f"a file cannot be written: {exc}; give another place and start again, which takes "
            "seconds and publishes nothing twice"
        ) from exc


def _write_files(settings: TrainingSettings, trained: Trained) -> Iterator[Path]:
    if settings.output_labels is not None:
        write_labels(settings.output_labels, trained.labels)
        yield settings.output_labels
    if settings.output_graph is not None:
        _freeze(settings.output_graph, trained, settings.final_tensor_name)
        yield settings.output_graph
    if settings.saved_model_dir is not None:
        # The last act of a run: as soon as the folder is whole, the same command refuses it.
        whole.fill(settings.saved_model_dir, partial(_save, trained), last=SAVED_MODEL)
        yield settings.saved_model_dir / SAVED_MODEL


def write_labels(path: Path, labels: Sequence[str]) -> None:
    """Write the labels as retrain.py did: one a line, in class order, as they are."""
    whole.write(path, "".join(f"{label}\n" for label in labels).encode())


def _save(trained: Trained, directory: Path) -> None:
    heavy.load("training.learning.graphs").save_classifier(
        trained.features,
        trained.backbone.spec,
        trained.dense,
        directory,
        temperature=trained.temperature,
    )


def _freeze(path: Path, trained: Trained, output_name: str) -> None:
    heavy.load("training.publishing.frozen_graph").write(
        trained.backbone,
        trained.dense,
        path,
        temperature=trained.temperature,
        output_name=output_name,
    )
