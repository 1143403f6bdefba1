"""Installs `keras:NAME`: a classifier of Keras Applications with its weights for ImageNet.

The weights are downloaded by Keras into its own cache, or come from a file.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

from model_store import command_line, picture_sets, pipeline, verification
from model_store.card import ModelCard, Origin
from model_store.errors import WeightsUnavailableError
from model_store.importers import ImportOptions, drafts, keras_file
from model_store.installers import KERAS_PREFIX, Given
from model_store.pretrained import applications, keras_applications
from model_store.reports import Report
from model_store.store import ModelStore


def publish(
    store: ModelStore, application: str, *, name: str, given: Given, report: Report
) -> ModelCard:
    """Publish a classifier of Keras with its variants as `name`; return its card.

    Raises:
        WeightsUnavailableError: no weights were given and they cannot be fetched from here.
        ModelFormatError: the weights are not those of this network.
    """
    with tempfile.TemporaryDirectory(prefix="petiole-install-") as place:
        directory = Path(place) / name
        card = draft(application, directory, name=name, weights=given.weights, report=report)
        sets = picture_sets.choose(card, given.calibration, report)
        return pipeline.publish(store, directory, card, sets=sets, report=report)


def draft(
    application: str, directory: Path, *, name: str, weights: Path | None, report: Report
) -> ModelCard:
    """Write the SavedModel of a classifier and return the draft of its card.

    Raises:
        WeightsUnavailableError: no weights were given and they cannot be fetched from here.
        ModelFormatError: the weights are not those of this network.
    """
    pixels, _ = applications.find(application)
    report(f"Loading {application} with {weights or 'weights that Keras downloads'}")
    model = _loaded(application, weights)
    network = keras_file.network(model, ImportOptions(name), _origin(application, weights))
    options = ImportOptions(
        name=name,
        labels="imagenet",
        mean=pixels.mean,
        scale=pixels.scale,
        crop_fraction=applications.CROP_FRACTION,
        channel_order=pixels.channel_order,
        licence=applications.LICENCE,
    )
    return drafts.draft(network, options, directory, report=report)


def _loaded(application: str, weights: Path | None) -> Any:
    try:
        return keras_applications.load(application, weights)
    except WeightsUnavailableError as exc:
        raise WeightsUnavailableError(f"{exc}{_advice(application, str(exc))}") from exc


def _advice(application: str, message: str) -> str:
    address = re.search(r"https?://[^\s:]+", message)
    if address is None:
        return ""
    file = address.group().rpartition("/")[2]
    name = f"{KERAS_PREFIX}{application}"
    install = command_line.command("models", "install", name, "--weights", file)
    return f"; where there is internet, fetch {address.group()}, then: {install}"


def _origin(application: str, weights: Path | None) -> Origin:
    source = keras_applications.source(application)
    if weights is None:
        return Origin("keras", source)
    return Origin("keras", source, file=weights.name, sha256=verification.file_digest(weights))
