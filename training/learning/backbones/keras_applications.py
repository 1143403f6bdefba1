"""Keras applications as backbones: `keras:MobileNetV2` and its like, without their last layer."""

import hashlib
from pathlib import Path
from typing import Any

from model_store.card import Origin
from model_store.errors import ModelFormatError, UnknownInstallerError, WeightsUnavailableError
from model_store.pretrained import applications, keras_applications
from training.errors import BackboneUnavailableError
from training.learning.backbone import Backbone, Request


def load(request: Request, name: str) -> Backbone:
    """Return a Keras application with the weights of ImageNet, or with those of a file.

    Raises:
        BackboneUnavailableError: Keras has no such application, or its weights cannot be had here.
    """
    try:
        spec = applications.spec(name, input_size=request.input_size)
    except UnknownInstallerError as exc:
        raise BackboneUnavailableError(str(exc)) from exc
    model = _model(name, spec.input_size, request.weights)
    return Backbone(
        name=f"keras:{name}",
        spec=spec,
        width=int(model.output_shape[-1]),
        identity=_identity(model, name),
        origin=Origin("keras", keras_applications.source(name)),
        licence=applications.LICENCE,
        network=lambda images: model(images, training=False),
        keras_model=model,
    )


def _model(name: str, size: int, weights: Path | None) -> Any:
    shape = (size, size, 3)
    try:
        return keras_applications.load(
            name, weights, include_top=False, pooling="avg", input_shape=shape
        )
    except (WeightsUnavailableError, ModelFormatError) as exc:
        raise BackboneUnavailableError(
            f"{exc}; give a file with --backbone_weights FILE, or use the built-in "
            "efficientnet-lite0"
        ) from exc


def _identity(model: Any, name: str) -> str:
    digest = hashlib.sha256(name.encode())
    for weights in model.get_weights():
        digest.update(weights.tobytes())
    return digest.hexdigest()
