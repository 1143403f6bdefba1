"""What a stored sample means, computed by the standards' formulas and not by any decoder.

All of them take and return floats from 0 to 1, [H, W, C], with sRGB primaries and curve at the end.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Bradford, from the white of ICC profiles (D50) to that of sRGB (D65). Source: ICC.1:2022, Annex E.
D50 = np.array([0.9642, 1.0, 0.8249])
D50_TO_D65 = np.array(
    [
        [0.9555766, -0.0230393, 0.0631636],
        [-0.0282895, 1.0099416, 0.0210077],
        [0.0122982, -0.0204830, 1.3299098],
    ]
)
# Source: IEC 61966-2-1.
XYZ_TO_SRGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)


def levels(colours: Floats) -> NDArray[np.uint8]:
    """Return colours from 0 to 1 as 8-bit levels."""
    return np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)


def grey(samples: NDArray[Any], bits: int, *, white_is_zero: bool = False) -> Floats:
    """Return grey samples [H, W, 1] as colours."""
    value = samples / (2**bits - 1)
    return np.repeat(1 - value if white_is_zero else value, 3, axis=2)


def on_white(colours: Floats, alpha: Floats) -> Floats:
    """Return colours laid on white. Source: Porter and Duff 1984, `over`."""
    return colours * alpha + 1 - alpha


def cmyk(ink: Floats) -> Floats:
    """Return inks [H, W, 4] as colours, as every program does that has no profile."""
    return (1 - ink[..., :3]) * (1 - ink[..., 3:])


def ycbcr(samples: Floats) -> Floats:
    """Return full-range Y, Cb, Cr as colours. Source: JFIF 1.02, ITU-R BT.601."""
    y, cb, cr = samples[..., 0], samples[..., 1] - 128 / 255, samples[..., 2] - 128 / 255
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    return np.stack([red, green, blue], axis=2)


def to_ycbcr(colours: Floats) -> Floats:
    """Return colours as full-range Y, Cb, Cr, the inverse of `ycbcr`."""
    y = colours @ [0.299, 0.587, 0.114]
    cb, cr = (colours[..., 2] - y) / 1.772, (colours[..., 0] - y) / 1.402
    return np.stack([y, cb + 128 / 255, cr + 128 / 255], axis=2)


def lab(lightness: Floats, a: Floats, b: Floats) -> Floats:
    """Return L* from 0 to 100 and a*, b* under D50 as colours. Source: CIE 15:2004."""
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=2)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50
    return srgb_curve(xyz @ D50_TO_D65.T @ XYZ_TO_SRGB.T)


def srgb_curve(linear: Floats) -> Floats:
    """Return linear light as sRGB stores it. Source: IEC 61966-2-1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_light(stored: Floats) -> Floats:
    """Return the linear light of what sRGB stores, the inverse of `srgb_curve`."""
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
