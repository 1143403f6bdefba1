"""Writes a version out of the store, in the layout TensorFlow Serving reads."""

import shutil
from pathlib import Path

from model_store.card import ModelCard
from model_store.errors import ModelFormatError, StoreUnavailableError
from model_store.publishing import CARD, SAVED_MODEL
from model_store.store import ModelStore

LABELS = "labels.txt"
_SAVED_MODEL_PARTS = ("variables", "assets", "assets.extra")


def export(store: ModelStore, card: ModelCard, directory: Path) -> Path:
    """Write the SavedModel, `labels.txt` and the card into `<directory>/<version>`; return that.

    `directory` is then a `--model_base_path` of TensorFlow Serving. Variants are not written.

    Raises:
        ModelFormatError: the version has no SavedModel.
        StoreUnavailableError: the folder is already there, or cannot be written.
        CorruptVersionError: a file of the version has other bytes than were published.
    """
    if SAVED_MODEL not in card.files:
        raise ModelFormatError(f"{card.ref} has no {SAVED_MODEL}; only SavedModels are exported")
    version = directory / str(card.version)
    source = store.fetch(card.name, card.version)
    try:
        version.mkdir(parents=True)
        for path in _saved_model_files(card):
            (version / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, version / path)
        (version / LABELS).write_text("".join(f"{label}\n" for label in card.labels), "utf-8")
        (version / CARD).write_text(card.to_json(), "utf-8")
    except FileExistsError as exc:
        raise StoreUnavailableError(f"{version} is already there; export to another one") from exc
    except OSError as exc:
        raise StoreUnavailableError(f"cannot write to {version}: {exc.strerror}") from exc
    return version


def _saved_model_files(card: ModelCard) -> list[str]:
    """Return the SavedModel's files, the one last that TensorFlow Serving waits for."""
    parts = [path for path in card.files if path.split("/")[0] in _SAVED_MODEL_PARTS]
    beside = [path for path in card.files if path == "fingerprint.pb"]
    return [*parts, *beside, SAVED_MODEL]
