"""The version of a model in the store: published once, however often the same run is started."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model_store import ModelCard, ModelReference, ModelStore, Origin, pipeline
from model_store.errors import CorruptVersionError, ModelFormatError
from model_store.picture_sets import PictureSets
from model_store.references import PRODUCTION
from training import whole
from training.publishing.trained import Trained

# A file of every version that training made: what the model is, beside the model.
DESCRIPTION = "training.json"


@dataclass(frozen=True)
class Published:
    """The version that a run ends with.

    Attributes:
        name: The model's name.
        version: Its number.
        is_new: False where an earlier run had published this very model.
        production: The version that serves where none is named, at the run's end.
    """

    name: str
    version: int
    is_new: bool
    production: int

    @classmethod
    def of(cls, store: ModelStore, card: ModelCard, *, is_new: bool) -> "Published":
        """Return what is to be said about a version that is in the store."""
        production = store.aliases(card.name)[PRODUCTION]
        return cls(card.name, card.version, is_new, production)

    @property
    def reference(self) -> ModelReference:
        """`name@version`."""
        return ModelReference(self.name, str(self.version))


def find(store: ModelStore, name: str, trained: Trained) -> ModelCard | None:
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


@dataclass(frozen=True)
class Beside:
    """What a version is published with, beside the model.

    Attributes:
        sets: Pictures that its variants are held against it on, and calibrated on.
        run: Name of the run that made it, for the card's origin.
        write: Writes what else belongs to the version into its folder.
    """

    sets: PictureSets
    run: str
    write: Callable[[Path], None]


def publish(
    store: ModelStore,
    name: str,
    trained: Trained,
    beside: Beside,
    *,
    report: Callable[[str], None],
) -> ModelCard:
    """Publish the model as the next version of `name` and return its card.

    Args:
        store: Where it is published.
        name: The model's name.
        trained: The model.
        beside: What it is published with.
        report: Called with a short sentence at the start of each step.
    """
    with whole.folder(Path(tempfile.gettempdir()), "petiole-train-") as place:
        directory = place / name
        trained.save(directory)
        (directory / DESCRIPTION).write_bytes(trained.description)
        if trained.likeness is not None:
            trained.likeness.save(directory)
        if trained.examples is not None:
            trained.examples.save(directory)
        beside.write(directory)
        card = draft(name, trained, beside.run)
        return pipeline.publish(store, directory, card, sets=beside.sets, report=report)


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
        trust=trained.trust,
    )
