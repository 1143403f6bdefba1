"""The tiny real network, under the name that the tests know it by."""

from chaos.colours import LABELS, publish

__all__ = ["LABELS", "publish"]
