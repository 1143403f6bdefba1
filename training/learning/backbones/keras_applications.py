"""Keras applications as backbones: `keras:MobileNetV2` and its like, without their last layer."""

import hashlib
from pathlib import Path
from typing import Any

import keras

from model_store import downloads
from model_store.card import Origin, PreprocessingSpec
from model_store.errors import UnknownInstallerError
from model_store.installers import applications
from model_store.installers.keras_applications import CROP_FRACTION, LICENCE
from training.errors import BackboneUnavailableError
from training.learning.backbone import Backbone, Request


def load(request: Request, name: str) -> Backbone:
    """Return a Keras application with the weights of ImageNet, or with those of a file.

    Raises:
        BackboneUnavailableError: Keras has no such application, or its weights cannot be had here.
    """
    try:
        pixels, usual_size = applications.find(name)
    except UnknownInstallerError as exc:
        raise BackboneUnavailableError(str(exc)) from exc
    size = request.input_size or usual_size
    model = _model(name, size, request.weights)
    identity = _identity(model, name)
    return Backbone(
        name=f"keras:{name}",
        spec=PreprocessingSpec(
            input_size=size,
            crop_fraction=CROP_FRACTION,
            mean=pixels.mean,
            scale=pixels.scale,
            channel_order=pixels.channel_order,
        ),
        width=int(model.output_shape[-1]),
        identity=identity,
        origin=Origin("keras", f"keras.applications.{name}, Keras {keras.__version__}"),
        licence=LICENCE,
        network=lambda images: model(images, training=False),
        keras_model=model,
    )


def _model(name: str, size: int, weights: Path | None) -> keras.Model:
    build = getattr(keras.applications, name)
    options: dict[str, Any] = {
        "include_top": False,
        "pooling": "avg",
        "input_shape": (size, size, 3),
    }
    try:
        with downloads.limited():
            return build(weights=str(weights) if weights else "imagenet", **options)
    # Keras raises a plain Exception for a failed download.
    except Exception as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise BackboneUnavailableError(
            f"the weights of keras:{name} cannot be had ({reason}); give a file with "
            "--backbone_weights FILE, or use the built-in efficientnet-lite0"
        ) from exc


def _identity(model: keras.Model, name: str) -> str:
    digest = hashlib.sha256(name.encode())
    for weights in model.get_weights():
        digest.update(weights.tobytes())
    return digest.hexdigest()
