"""Ready-made models: what `petiole models install NAME` can fetch, convert and publish.

An installer is a module here with `publish(store, report=…)`. Families with a name inside, such as
`keras:NAME` or the handle of a hub, belong in `_module` beside the table.
"""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

from model_store.card import ModelCard
from model_store.errors import UnknownInstallerError
from model_store.references import PRODUCTION
from model_store.store import ModelStore

Report = Callable[[str], None]

_INSTALLERS = {"imagenet": "model_store.installers.imagenet"}


class Installer(Protocol):
    """A module that publishes one ready-made model."""

    def publish(self, store: ModelStore, *, report: Report) -> ModelCard:
        """Convert and publish the model as its next version; return its card."""
        ...


def names() -> tuple[str, ...]:
    """Return what can be installed, sorted."""
    return tuple(sorted(_INSTALLERS))


def install(store: ModelStore, name: str, *, report: Report) -> ModelCard:
    """Publish a ready-made model unless the store has it; return the card of its production.

    A production without golden pictures, which no worker accepts, is replaced by the next version.
    Killed half-way it leaves nothing visible, and the next call starts again. Where the model is
    already there nothing heavy is imported.

    Args:
        store: Where the model is published.
        name: What to install.
        report: Called with a short sentence at the start of each step.

    Raises:
        UnknownInstallerError: no such name; the message lists what can be installed.
        ModelFormatError: the weights are missing or not the expected ones.
    """
    installer = _module(name)
    outdated = None
    if name in store.names():
        card = store.card(*store.resolve(name))
        if card.golden:
            report(f"{card.ref} is already installed")
            return card
        outdated = card
        report(f"{card.ref} has no golden pictures; installing its next version")
    # Both are read once, when the libraries are imported: the first silences TensorFlow's notes.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    report(f"Installing {name}")
    card = cast(Installer, import_module(installer)).publish(store, report=report)
    if outdated:
        store.set_alias(name, PRODUCTION, card.version)
    return card


def _module(name: str) -> str:
    if name not in _INSTALLERS:
        raise UnknownInstallerError(
            f"cannot install {name!r}; what can be installed: {', '.join(names())}"
        )
    return _INSTALLERS[name]
