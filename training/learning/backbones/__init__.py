"""Backbones: pre-trained networks that turn pictures into features; a plug-in point of training.

`find` knows the built-in ones by name, Keras applications as `keras:NAME`, and TF Hub modules as
`hub:HANDLE`, where the handle is an address or a folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from model_store import heavy
from model_store.card import Origin, PreprocessingSpec
from training.errors import BackboneUnavailableError

Network = Callable[[Any], Any]


@dataclass(frozen=True)
class Backbone:
    """A network in memory and everything that a model made from it has to know.

    Attributes:
        name: What it is called in reports.
        spec: How an upload becomes the pixels it takes.
        width: Numbers in one picture's features.
        identity: SHA-256 over its weights, in hexadecimal; features of equal identity are equal.
        origin: Where its weights came from.
        licence: Licence of the weights; empty when unknown.
        network: Maps normalised images, a float32 tensor [N, H, W, 3], to features [N, width];
            called while a graph is traced.
        keras_model: The network as a Keras model, which fine-tuning needs; else None.
    """

    name: str
    spec: PreprocessingSpec
    width: int
    identity: str
    origin: Origin
    licence: str
    network: Network
    keras_model: Any = None


@dataclass(frozen=True)
class Request:
    """Which backbone is wanted; size and weights only where the family leaves the choice."""

    reference: str
    input_size: int | None = None
    weights: Path | None = None


class Family(Protocol):
    """A module here that makes the backbones of one kind."""

    def load(self, request: Request, name: str) -> Backbone:
        """Return the backbone of that name, in memory.

        Raises:
            BackboneUnavailableError: it is unknown, or its weights cannot be had here.
        """
        ...


BUILT_IN = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")

_FAMILIES = {"keras": "keras_applications", "hub": "tensorflow_hub_modules"}


def find(request: Request) -> Backbone:
    """Return a backbone in memory. Imports TensorFlow.

    Raises:
        BackboneUnavailableError: the message says what can be used instead.
    """
    family, colon, name = request.reference.partition(":")
    if request.reference in BUILT_IN:
        return _module("efficientnet_lite").load(request, request.reference)
    if not colon or not name or family not in _FAMILIES:
        raise BackboneUnavailableError(
            f"no backbone {request.reference!r}; use {', '.join(BUILT_IN)}, keras:NAME or "
            "hub:HANDLE"
        )
    return _module(_FAMILIES[family]).load(request, name)


def _module(name: str) -> Family:
    return cast(Family, heavy.load(f"training.learning.backbones.{name}"))
