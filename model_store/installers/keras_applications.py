"""Installs `keras:NAME`: a classifier of Keras Applications with its weights for ImageNet.

The weights are downloaded by Keras into its own cache, or come from a file.
"""

import re
import tempfile
from pathlib import Path

import keras

from model_store import calibration, downloads, pipeline, verification
from model_store.card import ModelCard, Origin
from model_store.errors import ModelFormatError, WeightsUnavailableError
from model_store.importers import ImportOptions, drafts, keras_file
from model_store.installers import Given, applications
from model_store.reports import Report
from model_store.store import ModelStore

# Source: keras.io/api/applications, where the top-1 of each is given for the central crop.
CROP_FRACTION = 0.875
LICENCE = "that of the network's authors, see keras.io/api/applications"


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
        sets = calibration.choose(card, given.calibration, report)
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
    model = load(application, weights)
    network = keras_file.network(model, ImportOptions(name), _origin(application, weights))
    options = ImportOptions(
        name=name,
        labels="imagenet",
        mean=pixels.mean,
        scale=pixels.scale,
        crop_fraction=CROP_FRACTION,
        channel_order=pixels.channel_order,
        licence=LICENCE,
    )
    return drafts.draft(network, options, directory, report=report)


def load(application: str, weights: Path | None) -> keras.Model:
    """Return the network with the weights of a file, or with those that Keras downloads.

    Raises:
        WeightsUnavailableError: no file was given and the weights cannot be fetched from here.
        ModelFormatError: the file does not hold the weights of this network.
    """
    if weights is None:
        return _downloaded(application)
    if not weights.is_file():
        raise ModelFormatError(f"there is no file {weights}")
    try:
        return getattr(keras.applications, application)(weights=str(weights))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        reason = str(exc).partition("\n")[0]
        raise ModelFormatError(f"{weights} has no weights for {application}: {reason}") from exc


def _downloaded(application: str) -> keras.Model:
    # Else a progress bar goes to stdout, where the card is printed.
    keras.utils.disable_interactive_logging()
    try:
        with downloads.limited():
            return getattr(keras.applications, application)(weights="imagenet")
    # `keras.utils.get_file` raises plain `Exception` when it cannot fetch.
    except Exception as exc:
        raise WeightsUnavailableError(_advice(application, str(exc))) from exc


def _advice(application: str, message: str) -> str:
    address = re.search(r"https?://[^\s:]+", message)
    if address is None:
        return f"the weights of {application} cannot be fetched from here ({message})"
    file = address.group().rpartition("/")[2]
    return (
        f"the weights of {application} cannot be fetched from here ({message}); where there is "
        f"internet, fetch {address.group()}, then: petiole models install "
        f"{applications.PREFIX}{application} --weights {file}"
    )


def _origin(application: str, weights: Path | None) -> Origin:
    source = f"keras.applications.{application}, Keras {keras.__version__}"
    if weights is None:
        return Origin("keras", source)
    return Origin("keras", source, file=weights.name, sha256=verification.file_digest(weights))
