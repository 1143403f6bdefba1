"""Profiles of colour spaces that a file names by numbers. Source: ICC.1:2022."""

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_store.pictures.spaces import XY, Space

# The white of profiles, and the cone response that takes another white to it (Annex E).
_D50 = np.array([0.9642, 1.0, 0.8249])
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# Gamma, a, b, c and d of the curve of sRGB. Source: IEC 61966-2-1.
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_VERSION = 0x04400000


@lru_cache(maxsize=32)
def profile(space: Space) -> bytes:
    """Return the ICC profile of a colour space.

    Raises:
        ValueError: its primaries lie on one line, or have no light.
    """
    curve = _curve(space.gamma)
    tags = {b"desc": _text("by numbers"), b"cprt": _text("none"), b"wtpt": _point(_D50)}
    for name, column in zip((b"r", b"g", b"b"), _to_d50(space).T, strict=True):
        tags |= {name + b"XYZ": _point(column), name + b"TRC": curve}
    return _file(tags)


def _to_d50(space: Space) -> NDArray[np.float64]:
    """Return the matrix [3, 3] from linear light to XYZ under D50."""
    try:
        corners = np.stack([_xyz(xy) for xy in space.primaries], axis=1)
        white = _xyz(space.white)
        colours = corners * np.linalg.solve(corners, white)
    except (np.linalg.LinAlgError, ZeroDivisionError) as exc:
        raise ValueError(f"no colours have the primaries {space.primaries}") from exc
    adapted = np.diag((_CONES @ _D50) / (_CONES @ white))
    matrix: NDArray[np.float64] = np.linalg.inv(_CONES) @ adapted @ _CONES @ colours
    return matrix


def _xyz(xy: XY) -> NDArray[np.float64]:
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _file(tags: dict[bytes, bytes]) -> bytes:
    start = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    head = struct.pack(">I4sI", start + len(body), bytes(4), _VERSION) + b"mntrRGB XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(*_D50)
    return head.ljust(128, b"\0") + table + body


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(float(number) * 65536) for number in numbers))


def _point(xyz: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*xyz)


def _curve(gamma: float) -> bytes:
    if gamma:
        return b"para" + bytes(8) + _fixed(gamma)
    return b"para" + bytes(4) + b"\0\3\0\0" + _fixed(*_SRGB_CURVE)


def _text(text: str) -> bytes:
    stored = text.encode("utf-16-be")
    head = struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(stored), 28)
    return head + stored
