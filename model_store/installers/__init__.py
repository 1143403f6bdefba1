"""Ready-made models: what `petiole models install NAME` can fetch, convert and publish.

An installer is a module here: `imagenet`, or the family `keras:NAME` of `keras_applications`.
"""

from dataclasses import dataclass
from pathlib import Path

from model_store import heavy
from model_store.card import ModelCard
from model_store.errors import UnknownInstallerError
from model_store.pretrained import applications
from model_store.references import PRODUCTION
from model_store.reports import Report
from model_store.store import ModelStore

__all__ = ["Given", "Report", "install", "model_name", "names"]

IMAGENET = "imagenet"
KERAS_PREFIX = "keras:"


def names() -> tuple[str, ...]:
    """Return what can be installed, sorted."""
    return (IMAGENET, *(f"{KERAS_PREFIX}{name}" for name in applications.names()))


@dataclass(frozen=True)
class Given:
    """What the user gives to an installation; with either, a next version is always published.

    Attributes:
        weights: File to take the weights from instead of downloading them.
        calibration: Directory of photographs that int8 variants are calibrated and judged on.
    """

    weights: Path | None = None
    calibration: Path | None = None


NOTHING = Given()


def install(store: ModelStore, name: str, *, given: Given = NOTHING, report: Report) -> ModelCard:
    """Publish a ready-made model unless the store has it; return the card of its production.

    A production without golden pictures, which no worker accepts, is replaced by the next version.
    Killed half-way it leaves nothing visible, and the next call starts again. Where the model is
    already there nothing heavy is imported.

    Args:
        store: Where the model is published.
        name: What to install.
        given: Weights and calibration pictures of the user's own.
        report: Called with a short sentence at the start of each step.

    Raises:
        UnknownInstallerError: no such name; the message lists what can be installed.
        WeightsUnavailableError: the weights cannot be fetched from here.
        ModelFormatError: the weights are missing or not the expected ones.
    """
    model, outdated = model_name(name), False
    if given == NOTHING and model in store.names():
        card = store.card(*store.resolve(model))
        if card.golden:
            report(f"{card.ref} is already installed")
            return card
        outdated = True
        report(f"{card.ref} has no golden pictures; installing its next version")
    report(f"Installing {name}")
    card = _publish(store, name, model=model, given=given, report=report)
    if outdated:
        store.set_alias(model, PRODUCTION, card.version)
    return card


def model_name(name: str) -> str:
    """Return what an installed model is called in the store: `keras:VGG16` becomes `vgg16`.

    Raises:
        UnknownInstallerError: nothing of that name can be installed.
    """
    if name.startswith(KERAS_PREFIX):
        application = name.removeprefix(KERAS_PREFIX)
        applications.find(application)
        return application.lower()
    if name != IMAGENET:
        raise UnknownInstallerError(
            f"cannot install {name!r}; what can be installed: {IMAGENET}, "
            f"{KERAS_PREFIX}MobileNetV2 and the other Keras Applications"
        )
    return IMAGENET


def _publish(
    store: ModelStore, name: str, *, model: str, given: Given, report: Report
) -> ModelCard:
    heavy.prepare()
    if name.startswith(KERAS_PREFIX):
        from model_store.installers import keras_applications  # noqa: PLC0415 - Keras

        application = name.removeprefix(KERAS_PREFIX)
        return keras_applications.publish(
            store, application, name=model, given=given, report=report
        )
    if given.weights is not None:
        raise UnknownInstallerError(f"--weights is for {KERAS_PREFIX}NAME; leave it out")
    from model_store.installers import imagenet  # noqa: PLC0415 - TensorFlow

    return imagenet.publish(store, pictures=given.calibration, report=report)
