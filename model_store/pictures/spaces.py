"""Colour spaces that files name by numbers. Source: ITU-T H.273, table 2."""

from dataclasses import dataclass

XY = tuple[float, float]

D65: XY = (0.3127, 0.3290)
SRGB: tuple[XY, XY, XY] = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
# Those that pictures have and that sRGB does not hold: BT.2020 and Display P3.
PRIMARIES: dict[int, tuple[XY, XY, XY]] = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}


@dataclass(frozen=True)
class Space:
    """A colour space: three primaries and a white as x, y, and a gamma, or 0 for sRGB's curve."""

    primaries: tuple[XY, XY, XY] = SRGB
    white: XY = D65
    gamma: float = 0.0
