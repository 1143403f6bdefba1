"""The tiny real network, under the name that the tests know it by."""

from chaos.colours import publish
from chaos.pictures import LABELS

__all__ = ["LABELS", "publish"]
