"""Imports a TF Hub module: a handle that is downloaded, or a folder where it was unpacked."""

import warnings
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_store import downloads
from model_store.errors import ImportOptionError, ModelFormatError, WeightsUnavailableError
from model_store.importers import HUB_PREFIX, ImportOptions, saved_model
from model_store.importers.networks import Network, freeze

with warnings.catch_warnings():
    # tensorflow-hub 0.16.1 imports pkg_resources for a version check; setuptools is pinned for it.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
    import tensorflow_hub

# Source: tensorflow.org/hub/common_signatures/images: "values … in the range [0, 1]".
USUAL = ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))


def read(source: str, options: ImportOptions) -> Network:
    """Return the classifier of a module; its pixels are 0 to 1 unless mean and scale are given.

    Raises:
        WeightsUnavailableError: the handle cannot be fetched from here.
        ModelFormatError: it is no module, or has no signature that classifies pictures.
        ImportOptionError: the input size is missing, or another one than the signature has.
    """
    handle = source.removeprefix(HUB_PREFIX)
    directory = fetch(handle)
    try:
        loaded = tensorflow_hub.load(str(directory))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as exc:
        raise ModelFormatError(f"{handle} is no module that can be loaded: {exc}") from exc
    where = saved_model.origin(directory, "hub", handle)
    if loaded.signatures:
        return saved_model.network(loaded.signatures, options, where, beside=directory, usual=USUAL)
    return _callable(loaded, options, where, beside=directory)


def fetch(handle: str, *, silence_seconds: float = downloads.SILENCE_SECONDS) -> Path:
    """Return the folder of a module, downloading a handle into the cache of TF Hub.

    The cache is `TFHUB_CACHE_DIR`, else a folder in the system's directory for temporary files.

    Raises:
        WeightsUnavailableError: it cannot be fetched from here, or the server is silent for
            so long.
    """
    try:
        with downloads.limited(silence_seconds):
            return Path(tensorflow_hub.resolve(handle))
    except (OSError, RuntimeError, ValueError) as exc:
        raise WeightsUnavailableError(
            f"cannot fetch {handle} ({exc}); where there is internet, download and unpack it, "
            f"then publish its folder as {HUB_PREFIX}FOLDER"
        ) from exc


def _callable(loaded: Any, options: ImportOptions, where: Any, *, beside: Path) -> Network:
    if not callable(loaded):
        raise ModelFormatError("the module has no signature and cannot be called")
    if options.input_size is None:
        raise ImportOptionError("the module takes pictures of any size; give --input-size")
    function = freeze(loaded, input_size=options.input_size, dtype=tf.float32)
    return Network(
        function, tf.float32, options.input_size, where, beside, mean=USUAL[0], scale=USUAL[1]
    )
