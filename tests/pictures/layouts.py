"""Every way of storing a picture that is tried, each with what must come of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 17, 22
# Transfer characteristics. Source: ITU-T H.273, table 3.
HIGH_RANGE = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Layout:
    """One file, and the picture that it shows.

    Attributes:
        format, model, depth, polarity, alpha, variety: The rows and columns of the table.
        upload: The bytes of the file.
        colours: What it shows, [H, W, 3] levels; None where nobody can say.
        polarity: The colour that zero is.
        tolerance: Levels by which a right answer may differ; `why` says where they come from.
        edge: Pixels beside the edge of a block that are not compared, where coding blurs them.
    """

    format: str
    model: str
    depth: str
    upload: bytes
    colours: NDArray[np.uint8] | None
    polarity: str = "black"
    alpha: str = "none"
    variety: str = "plain"
    tolerance: int = 0
    why: str = ""
    edge: int = 0


def ramp(channels: int, bits: int) -> NDArray[Any]:
    """Return samples [H, W, channels] that use the whole range, each channel in its own way."""
    top = 2**bits - 1
    random = np.random.default_rng(bits * 10 + channels)
    found = random.integers(0, top, (HEIGHT, WIDTH, channels), np.uint64, endpoint=True)
    found[0], found[1] = 0, top
    return found
