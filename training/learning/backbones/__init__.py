"""Pre-trained networks that turn pictures into features, one module a family; a plug-in point.

`find` knows the built-in ones by name, Keras applications as `keras:NAME`, and TF Hub modules as
`hub:HANDLE`, where the handle is an address or a folder.
"""

from typing import Protocol

from model_store import heavy
from model_store.pretrained import lite_sizes
from training.errors import BackboneUnavailableError
from training.learning.backbone import Backbone, Request


class Family(Protocol):
    """A module here that makes the backbones of one kind."""

    def load(self, request: Request, name: str) -> Backbone:
        """Return the backbone of that name, in memory.

        Raises:
            BackboneUnavailableError: it is unknown, or its weights cannot be had here.
        """
        ...


BUILT_IN = tuple(lite_sizes.SIZES)


def find(request: Request) -> Backbone:
    """Return a backbone in memory. Imports TensorFlow.

    Raises:
        BackboneUnavailableError: the message says what can be used instead.
    """
    family, colon, name = request.reference.partition(":")
    if request.reference in BUILT_IN:
        family, name = "built-in", request.reference
    elif not colon or not name or family not in ("keras", "hub"):
        raise BackboneUnavailableError(
            f"no backbone {request.reference!r}; use {', '.join(BUILT_IN)}, keras:NAME or "
            "hub:HANDLE"
        )
    return _module(family).load(request, name)


def _module(family: str) -> Family:
    heavy.prepare()
    if family == "keras":
        from training.learning.backbones import keras_applications  # noqa: PLC0415 - TensorFlow

        return keras_applications
    if family == "hub":
        from training.learning.backbones import tensorflow_hub_modules  # noqa: PLC0415 - TensorFlow

        return tensorflow_hub_modules
    from training.learning.backbones import efficientnet_lite  # noqa: PLC0415 - TensorFlow

    return efficientnet_lite
