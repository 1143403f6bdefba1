"""The built-in backbones: EfficientNet-Lite with the ImageNet weights of packages."""

from model_store.errors import ModelFormatError, WeightsUnavailableError
from model_store.pretrained import efficientnet_lite, lite_sizes
from training.errors import BackboneUnavailableError
from training.learning.backbone import Backbone, Request


def load(request: Request, name: str) -> Backbone:
    """Return one of the built-in backbones.

    Raises:
        BackboneUnavailableError: the package with its weights is missing or has other weights.
    """
    size = lite_sizes.SIZES[name]
    _refuse_choices(request)
    try:
        model = efficientnet_lite.load(size, classes=None)
    except (WeightsUnavailableError, ModelFormatError) as exc:
        raise BackboneUnavailableError(f"{name} cannot be had: {exc}") from exc
    return Backbone(
        name=name,
        spec=size.spec,
        width=efficientnet_lite.FEATURES,
        identity=size.sha256,
        origin=lite_sizes.origin(size),
        licence=lite_sizes.LICENCE,
        network=lambda images: model(images, training=False),
        keras_model=model,
    )


def _refuse_choices(request: Request) -> None:
    if request.weights is not None or request.input_size is not None:
        raise BackboneUnavailableError(
            f"{request.reference} has its own weights and input size; leave out backbone_weights "
            "and input_size, or use keras:NAME"
        )
