"""What a backbone is: a network in memory, its weights, and what a model has to know of it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.card import Origin, PreprocessingSpec

Network = Callable[[Any], Any]
Weights = Sequence[NDArray[np.float32]]


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
        network: Maps normalised images, a float32 tensor [N, H, W, 3], to features [N, width]
            with the weights that it was loaded with; `worn` gives it this backbone's.
        keras_model: The network as a Keras model, which fine-tuning needs; else None.
        weights: Those of `keras_model` in Keras' order, where they are not the loaded ones.
    """

    name: str
    spec: PreprocessingSpec
    width: int
    identity: str
    origin: Origin
    licence: str
    network: Network
    keras_model: Any = None
    weights: Weights | None = field(default=None, compare=False)

    def tuned(self, weights: Weights) -> "Backbone":
        """Return the backbone that this one is with other weights, in Keras' order."""
        name = f"{self.name} fine-tuned"
        return replace(self, name=name, identity=_identity(weights), weights=weights)

    @contextmanager
    def worn(self) -> Iterator[Network]:
        """Yield the network with this backbone's weights, to be traced and frozen meanwhile.

        There is one network in memory, however many backbones it is; afterwards it has the
        weights again that it was loaded with.
        """
        if self.weights is None:
            yield self.network
            return
        loaded = self.keras_model.get_weights()
        self.keras_model.set_weights(self.weights)
        try:
            yield self.network
        finally:
            self.keras_model.set_weights(loaded)


@dataclass(frozen=True)
class Request:
    """Which backbone is wanted; size and weights only where the family leaves the choice."""

    reference: str
    input_size: int | None = None
    weights: Path | None = None


def _identity(weights: Weights) -> str:
    digest = hashlib.sha256()
    for array in weights:
        digest.update(array.tobytes())
    return digest.hexdigest()
