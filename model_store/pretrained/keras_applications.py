"""Keras Applications in memory, with the weights that Keras downloads or those of a file."""

from pathlib import Path
from typing import Any

import keras

from model_store import downloads
from model_store.errors import ModelFormatError, WeightsUnavailableError


def load(name: str, weights: Path | None, **options: Any) -> keras.Model:
    """Return a network of that name; `options` go to Keras, such as `include_top=False`.

    Keras downloads weights into its own cache.

    Raises:
        WeightsUnavailableError: no file was given and the weights cannot be fetched from here.
        ModelFormatError: the file does not hold the weights of this network.
    """
    build = getattr(keras.applications, name)
    if weights is None:
        return _downloaded(name, build, options)
    if not weights.is_file():
        raise ModelFormatError(f"there is no file {weights}")
    try:
        return build(weights=str(weights), **options)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        reason = str(exc).partition("\n")[0]
        raise ModelFormatError(f"{weights} has no weights for {name}: {reason}") from exc


def source(name: str) -> str:
    """Return what a card says about where such a network is from."""
    return f"keras.applications.{name}, Keras {keras.__version__}"


def _downloaded(name: str, build: Any, options: dict[str, Any]) -> keras.Model:
    # Else a progress bar goes to stdout, where documents are printed.
    keras.utils.disable_interactive_logging()
    try:
        with downloads.limited():
            return build(weights="imagenet", **options)
    # `keras.utils.get_file` raises plain `Exception` when it cannot fetch.
    except Exception as exc:
        reason = str(exc).strip().partition("\n")[0]
        message = f"the weights of {name} cannot be fetched from here ({reason})"
        raise WeightsUnavailableError(message) from exc
