"""The image classifiers of Keras Applications: sizes, and how each wants its pixels.

Source: `keras.applications.<family>.preprocess_input` and the default input shapes.
"""

from dataclasses import dataclass

from model_store.card import ChannelOrder, Channels, PreprocessingSpec
from model_store.errors import UnknownInstallerError

# Source: keras.io/api/applications, where the top-1 of each is given for the central crop.
CROP_FRACTION = 0.875
LICENCE = "that of the network's authors, see keras.io/api/applications"


@dataclass(frozen=True)
class Pixels:
    """What is done to a pixel from 0 to 255; mean and scale are in the order of the channels."""

    mean: Channels
    scale: Channels
    channel_order: ChannelOrder = "RGB"


# The four modes of `keras.applications.imagenet_utils.preprocess_input`; INSIDE is none at all,
# for networks whose first layer does it.
CAFFE = Pixels((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "BGR")
MINUS_ONE_TO_ONE = Pixels((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
TORCH = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
INSIDE = Pixels((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

_BY_PIXELS_AND_SIZE = {
    (CAFFE, 224): "ResNet50 ResNet101 ResNet152 VGG16 VGG19",
    (TORCH, 224): "DenseNet121 DenseNet169 DenseNet201",
    (
        MINUS_ONE_TO_ONE,
        224,
    ): "MobileNet MobileNetV2 NASNetMobile ResNet50V2 ResNet101V2 ResNet152V2",
    (MINUS_ONE_TO_ONE, 299): "InceptionResNetV2 InceptionV3 Xception",
    (MINUS_ONE_TO_ONE, 331): "NASNetLarge",
    (INSIDE, 224): "ConvNeXtTiny ConvNeXtSmall ConvNeXtBase ConvNeXtLarge ConvNeXtXLarge"
    " EfficientNetB0 EfficientNetV2B0 MobileNetV3Small MobileNetV3Large",
    (INSIDE, 240): "EfficientNetB1 EfficientNetV2B1",
    (INSIDE, 260): "EfficientNetB2 EfficientNetV2B2",
    (INSIDE, 300): "EfficientNetB3 EfficientNetV2B3",
    (INSIDE, 380): "EfficientNetB4",
    (INSIDE, 384): "EfficientNetV2S",
    (INSIDE, 456): "EfficientNetB5",
    (INSIDE, 480): "EfficientNetV2M EfficientNetV2L",
    (INSIDE, 528): "EfficientNetB6",
    (INSIDE, 600): "EfficientNetB7",
}
_APPLICATIONS = {
    name: found for found, names in _BY_PIXELS_AND_SIZE.items() for name in names.split()
}


def names() -> tuple[str, ...]:
    """Return the names of the classifiers, sorted."""
    return tuple(sorted(_APPLICATIONS))


def find(name: str) -> tuple[Pixels, int]:
    """Return how a classifier wants its pixels, and its input size in pixels.

    Raises:
        UnknownInstallerError: Keras has no classifier of that name; the message lists them.
    """
    if name not in _APPLICATIONS:
        raise UnknownInstallerError(
            f"Keras Applications have no {name!r}; there are: {', '.join(names())}"
        )
    return _APPLICATIONS[name]


def spec(name: str, *, input_size: int | None = None) -> PreprocessingSpec:
    """Return how pictures reach a network of Keras, by default at its usual size in pixels.

    Raises:
        UnknownInstallerError: Keras has no classifier of that name; the message lists them.
    """
    pixels, usual_size = find(name)
    return PreprocessingSpec(
        input_size=input_size or usual_size,
        crop_fraction=CROP_FRACTION,
        mean=pixels.mean,
        scale=pixels.scale,
        channel_order=pixels.channel_order,
    )
