"""The files that flags ask for: labels, a frozen graph, a SavedModel."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_store import heavy
from model_store.publishing import SAVED_MODEL
from training import whole
from training.errors import SettingsError, TrainingError
from training.publishing.trained import Trained
from training.settings import TrainingSettings


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


def write_labels(path: Path, labels: Sequence[str]) -> None:
    """Write the labels as retrain.py did: one a line, in class order, as they are."""
    whole.write(path, "".join(f"{label}\n" for label in labels).encode())


def _can_be_made(path: Path) -> bool:
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def _write_files(settings: TrainingSettings, trained: Trained) -> Iterator[Path]:
    if settings.output_labels is not None:
        write_labels(settings.output_labels, trained.labels)
        yield settings.output_labels
    if settings.output_graph is not None:
        _freeze(settings.output_graph, trained, settings.final_tensor_name)
        yield settings.output_graph
    if settings.saved_model_dir is not None:
        # The last act of a run: as soon as the folder is whole, the same command refuses it.
        whole.fill(settings.saved_model_dir, trained.save, last=SAVED_MODEL)
        yield settings.saved_model_dir / SAVED_MODEL


def _freeze(path: Path, trained: Trained, output_name: str) -> None:
    heavy.prepare()
    from training.publishing import frozen_graph  # noqa: PLC0415 - TensorFlow

    frozen_graph.write(
        trained.backbone,
        trained.dense,
        path,
        temperature=trained.temperature,
        output_name=output_name,
    )
