"""EfficientNet-Lite in Keras, and how the names of its PyTorch weights map to the layers here.

Lite means: no squeeze-and-excitation, ReLU6 instead of swish, stem and head of fixed width.

Source: see `lite_sizes`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from model_store.errors import ModelFormatError
from model_store.pretrained import legacy_torch, lite_sizes
from model_store.pretrained.lite_sizes import STEM_CHANNELS, LiteSize, Stage

FEATURES = 1280
NORM_EPSILON = 1e-3
DROPOUT_RATE = 0.2

StateDict = Mapping[str, NDArray[Any]]


def load(size: LiteSize, *, classes: int | None) -> keras.Model:
    """Return the network of that size with its ImageNet weights; see `build`.

    Raises:
        WeightsUnavailableError: the package with the weights is not installed.
        ModelFormatError: its weights are not the expected ones.
    """
    state = legacy_torch.read_state_dict(lite_sizes.weights_file(size))
    model = build(size, classes=classes)
    load_weights(model, state)
    return model


def build(size: LiteSize, *, classes: int | None) -> keras.Model:
    """Return the untrained network for images [N, input_size, input_size, 3], normalised.

    With `classes` it ends in logits [N, classes]; with None it is a backbone that ends in features
    [N, 1280].
    """
    images = keras.Input((size.spec.input_size, size.spec.input_size, 3), name="normalised_images")
    x = _convolution(images, STEM_CHANNELS, kernel=3, stride=2, name="stem")
    for i, block in enumerate(_blocks(size.stages)):
        x = _block(x, block, name=f"block{i}")
    x = _convolution(x, FEATURES, kernel=1, stride=1, name="head")
    x = layers.GlobalAveragePooling2D(name="features")(x)
    if classes is not None:
        x = layers.Dropout(DROPOUT_RATE, name="dropout")(x)
        x = layers.Dense(classes, name="logits")(x)
    return keras.Model(images, x, name="efficientnet_lite")


def load_weights(model: keras.Model, state: StateDict) -> None:
    """Copy PyTorch weights into a network from `build`, with or without its last layer.

    Raises:
        ModelFormatError: a tensor is missing or has another shape.
    """
    for layer in model.layers:
        if layer.weights:
            _load_layer(layer, state)


def _blocks(stages: Sequence[Stage]) -> Iterator[Stage]:
    """Yield the blocks in order, each as a stage of one; sixteen for Lite0."""
    for stage in stages:
        yield replace(stage, repeats=1)
        rest = replace(stage, repeats=1, stride=1, channels_in=stage.channels_out)
        yield from [rest] * (stage.repeats - 1)


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
