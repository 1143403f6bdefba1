"""What a run leaves: the published version, and the files that were asked for by flags."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_store import ModelCard, ModelStore, Origin, heavy, pipeline
from model_store.calibration import CalibrationSets
from model_store.publishing import SAVED_MODEL
from training.backbones import Backbone
from training.dense import Dense
from training.errors import SettingsError
from training.settings import TrainingSettings


@dataclass(frozen=True)
class Trained:
    """A model that is ready to be used: logits / temperature go into the softmax."""

    backbone: Backbone
    dense: Dense
    labels: tuple[str, ...]
    temperature: float
    metrics: dict[str, float]


def refuse_bad_places(settings: TrainingSettings) -> None:
    """Find out before the work is done whether its results can be written.

    Raises:
        SettingsError: saved_model_dir is not empty.
    """
    place = settings.saved_model_dir
    if place is not None and place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise SettingsError(f"saved_model_dir is {place}, which is not empty; give a new folder")


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
    with tempfile.TemporaryDirectory(prefix="petiole-train-") as place:
        directory = Path(place) / name
        _save(trained, directory)
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
    """Write frozen graph, labels and SavedModel where flags asked for them; return their places."""
    written = []
    if settings.output_labels is not None:
        write_labels(settings.output_labels, trained.labels)
        written.append(settings.output_labels)
    if settings.output_graph is not None:
        _freeze(settings.output_graph, trained, settings.final_tensor_name)
        written.append(settings.output_graph)
    if settings.saved_model_dir is not None:
        _save(trained, settings.saved_model_dir)
        written.append(settings.saved_model_dir / SAVED_MODEL)
    return written


def write_labels(path: Path, labels: Sequence[str]) -> None:
    """Write the labels as retrain.py did: one a line, in class order, as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{label}\n" for label in labels), "utf-8")


def _save(trained: Trained, directory: Path) -> None:
    heavy.load("training.graphs").save_classifier(
        trained.backbone, trained.dense, directory, temperature=trained.temperature
    )


def _freeze(path: Path, trained: Trained, output_name: str) -> None:
    heavy.load("training.frozen_graph").write(
        trained.backbone,
        trained.dense,
        path,
        temperature=trained.temperature,
        output_name=output_name,
    )
