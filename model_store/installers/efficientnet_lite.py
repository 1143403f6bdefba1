"""EfficientNet-Lite0 in Keras, and how the names of its PyTorch weights map to the layers here.

Lite means: no squeeze-and-excitation, ReLU6 instead of swish, stem and head of fixed width.

Source: Tan and Le 2019 (EfficientNet), table 1; the Lite changes as in tensorflow/tpu,
`models/official/efficientnet/lite`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from model_store.errors import ModelFormatError

INPUT_SIZE = 224
STEM_CHANNELS = 32
FEATURES = 1280
NORM_EPSILON = 1e-3
DROPOUT_RATE = 0.2

StateDict = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Stage:
    """A row of equal blocks; only the first one strides and changes the channels."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels_in: int
    channels_out: int


STAGES = (
    Stage(1, 3, 1, 1, 32, 16),
    Stage(2, 3, 2, 6, 16, 24),
    Stage(2, 5, 2, 6, 24, 40),
    Stage(3, 3, 2, 6, 40, 80),
    Stage(3, 5, 1, 6, 80, 112),
    Stage(4, 5, 2, 6, 112, 192),
    Stage(1, 3, 1, 6, 192, 320),
)


def scaled(repeats: Sequence[int], channels: Sequence[int]) -> tuple[Stage, ...]:
    """Return the stages of a larger Lite network.

    Args:
        repeats: Blocks in each of the seven stages.
        channels: Channels that leave each of them.
    """
    entering = (STEM_CHANNELS, *channels[:-1])
    sizes = zip(STAGES, repeats, entering, channels, strict=True)
    return tuple(
        replace(stage, repeats=n, channels_in=before, channels_out=after)
        for stage, n, before, after in sizes
    )


def blocks(stages: Sequence[Stage] = STAGES) -> Iterator[Stage]:
    """Yield the blocks in order, each as a stage of one; sixteen for Lite0."""
    for stage in stages:
        yield replace(stage, repeats=1)
        rest = replace(stage, repeats=1, stride=1, channels_in=stage.channels_out)
        yield from [rest] * (stage.repeats - 1)


def build(
    *, classes: int | None, input_size: int = INPUT_SIZE, stages: Sequence[Stage] = STAGES
) -> keras.Model:
    """Return the untrained network for images [N, input_size, input_size, 3], normalised.

    With `classes` it ends in logits [N, classes]; with None it is a backbone that ends in features
    [N, 1280].
    """
    images = keras.Input((input_size, input_size, 3), name="normalised_images")
    x = _convolution(images, STEM_CHANNELS, kernel=3, stride=2, name="stem")
    for i, block in enumerate(blocks(stages)):
        x = _block(x, block, name=f"block{i}")
    x = _convolution(x, FEATURES, kernel=1, stride=1, name="head")
    x = layers.GlobalAveragePooling2D(name="features")(x)
    if classes is not None:
        x = layers.Dropout(DROPOUT_RATE, name="dropout")(x)
        x = layers.Dense(classes, name="logits")(x)
    return keras.Model(images, x, name="efficientnet_lite0")


def load_weights(model: keras.Model, state: StateDict) -> None:
    """Copy PyTorch weights into a network from `build`, with or without its last layer.

    Raises:
        ModelFormatError: a tensor is missing or has another shape.
    """
    for layer in model.layers:
        if layer.weights:
            _load_layer(layer, state)


def _block(x: Any, block: Stage, *, name: str) -> Any:
    y = x
    if block.expand > 1:
        wide = block.channels_in * block.expand
        y = _convolution(y, wide, kernel=1, stride=1, name=f"{name}_expand")
    y = layers.DepthwiseConv2D(
        block.kernel,
        block.stride,
        padding="same",
        use_bias=False,
        name=f"{name}_depthwise_conv",
    )(y)
    y = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(_norm(y, f"{name}_depthwise"))
    y = _plain_convolution(y, block.channels_out, kernel=1, stride=1, name=f"{name}_project")
    y = _norm(y, f"{name}_project")
    keeps_shape = block.stride == 1 and block.channels_in == block.channels_out
    return layers.Add(name=f"{name}_add")([x, y]) if keeps_shape else y


def _convolution(x: Any, channels: int, *, kernel: int, stride: int, name: str) -> Any:
    x = _plain_convolution(x, channels, kernel=kernel, stride=stride, name=name)
    return layers.ReLU(6.0, name=f"{name}_relu")(_norm(x, name))


def _plain_convolution(x: Any, channels: int, *, kernel: int, stride: int, name: str) -> Any:
    convolution = layers.Conv2D(
        channels, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
    )
    return convolution(x)


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(epsilon=NORM_EPSILON, name=f"{name}_norm")(x)


def _load_layer(layer: keras.layers.Layer, state: StateDict) -> None:
    try:
        layer.set_weights(_weights(layer, state))
    except (KeyError, ValueError) as exc:
        raise ModelFormatError(f"weights of layer {layer.name} do not fit: {exc}") from exc


def _weights(layer: keras.layers.Layer, state: StateDict) -> list[NDArray[np.float32]]:
    prefix = _torch_name(layer.name)
    if isinstance(layer, layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        return [state[f"{prefix}.{part}"] for part in parts]
    weight = state[f"{prefix}.weight"]
    if isinstance(layer, layers.Dense):
        return [weight.T, state[f"{prefix}.bias"]]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [weight.transpose(2, 3, 0, 1)]  # [C, 1, h, w] -> [h, w, C, 1]
    return [weight.transpose(2, 3, 1, 0)]  # [out, in, h, w] -> [h, w, in, out]


_OUTER_NAMES = {
    "stem_conv": "_conv_stem",
    "stem_norm": "_bn0",
    "head_conv": "_conv_head",
    "head_norm": "_bn1",
    "logits": "_fc",
}
_INNER_NAMES = {
    "expand_conv": "_expand_conv",
    "expand_norm": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_norm": "_bn1",
    "project_conv": "_project_conv",
    "project_norm": "_bn2",
}


def _torch_name(layer_name: str) -> str:
    if layer_name in _OUTER_NAMES:
        return _OUTER_NAMES[layer_name]
    block, _, part = layer_name.partition("_")
    return f"_blocks.{block.removeprefix('block')}.{_INNER_NAMES[part]}"
