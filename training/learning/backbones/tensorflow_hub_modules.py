"""TF Hub modules as backbones: a handle that is fetched, or the folder of an unpacked module.

They are loaded with `hub.load`, because `hub.KerasLayer` does not work with Keras 3.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_store import verification
from model_store.card import Origin, PreprocessingSpec
from model_store.errors import ModelStoreError, WeightsUnavailableError
from model_store.importers import ImportOptions, hub_module, saved_model
from model_store.importers.networks import freeze
from training.errors import BackboneUnavailableError
from training.learning.backbone import Backbone, Request

RANK = 2

# Handles carry the size that the module was trained with: …/mobilenet_v2_100_224/feature_vector/5.
_SIZE_IN_HANDLE = re.compile(r"_(\d{3})(?=/|$)")


def load(request: Request, name: str) -> Backbone:
    """Return the module behind a handle; pixels are 0 to 1, as the hub's convention has it.

    Raises:
        BackboneUnavailableError: it cannot be fetched from here, or gives no features.
    """
    if request.weights is not None:
        raise BackboneUnavailableError(f"hub:{name} has its own weights; give no file")
    directory = _fetched(name)
    identity = _identity(directory)
    # Here, because `hub_module` has imported it by now without its warning.
    import tensorflow_hub  # noqa: PLC0415

    try:
        # The module owns the variables, so it has to live until they are constants.
        module = tensorflow_hub.load(str(directory))
        function, size = _frozen(module, request.input_size or _size_in(name))
    except (OSError, ValueError, KeyError, tf.errors.OpError, ModelStoreError) as exc:
        raise BackboneUnavailableError(f"hub:{name} cannot be used as a backbone: {exc}") from exc
    return Backbone(
        name=f"hub:{name}",
        spec=PreprocessingSpec(size, crop_fraction=1.0, resample="bilinear"),
        width=_width(function, size, name),
        identity=identity,
        origin=Origin("hub", name, file=directory.name, sha256=identity),
        licence="not stated",
        network=lambda images: function(images)[0],
    )


def _fetched(handle: str) -> Path:
    try:
        return hub_module.fetch(handle)
    except WeightsUnavailableError as exc:
        raise BackboneUnavailableError(
            f"hub:{handle} cannot be fetched from here; where there is internet download and "
            f"unpack it, then give its folder: --tfhub_module FOLDER ({exc.__cause__})"
        ) from exc


def _frozen(module: Any, wanted_size: int | None) -> tuple[Any, int]:
    """Return a function from normalised images [N, H, W, 3] to features, and H = W in pixels."""
    if module.signatures:
        options = ImportOptions("backbone", input_size=wanted_size)
        network = saved_model.network(module.signatures, options, Origin("hub", ""))
        return network.function, network.input_size
    if not callable(module):
        raise ValueError("it has no signature and cannot be called")
    if wanted_size is None:
        raise ValueError("it takes pictures of any size; give --input_size PIXELS")
    return freeze(module, input_size=wanted_size, dtype=tf.float32), wanted_size


def _size_in(handle: str) -> int | None:
    found = _SIZE_IN_HANDLE.findall(handle)
    return int(found[-1]) if found else None


def _identity(directory: Path) -> str:
    digests = verification.digests(directory)
    return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()


def _width(function: Any, size: int, name: str) -> int:
    answers = function(tf.zeros((1, size, size, 3)))[0].shape
    if answers.rank != RANK:
        raise BackboneUnavailableError(
            f"hub:{name} answers {answers} to one picture; expected [1, width]; is it a feature "
            "vector?"
        )
    return int(answers[1])
