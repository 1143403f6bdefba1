"""ICC profiles of three colours and a curve, written tag by tag. Source: ICC.1:2022."""

import struct
from dataclasses import dataclass

import numpy as np

from tests.pictures.reference import D50, D50_TO_D65, XYZ_TO_SRGB, Floats, srgb_curve, srgb_light

D65_XY, D50_XY = (0.3127, 0.3290), (0.3457, 0.3585)
# Bradford's cone response. Source: ICC.1:2022, Annex E.
CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class Space:
    """A colour space: primaries and white as x, y, and a gamma, or 0 for the curve of sRGB."""

    name: str
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float] = D65_XY
    gamma: float = 0.0

    def to_srgb(self, stored: Floats) -> Floats:
        """Return stored colours [H, W, 3] as sRGB, by the formulas."""
        light = stored**self.gamma if self.gamma else srgb_light(stored)
        return srgb_curve(light @ self.to_d50().T @ D50_TO_D65.T @ XYZ_TO_SRGB.T)

    def from_srgb(self, colours: Floats) -> Floats:
        """Return sRGB colours [H, W, 3] as this space stores them, the inverse of `to_srgb`."""
        to_space = np.linalg.inv(XYZ_TO_SRGB @ D50_TO_D65 @ self.to_d50())
        light = np.clip(srgb_light(colours) @ to_space.T, 0, 1)
        return light ** (1 / self.gamma) if self.gamma else srgb_curve(light)

    def to_d50(self) -> Floats:
        """Return the matrix [3, 3] from linear light to XYZ under D50."""
        corners = np.stack([_xyz(xy) for xy in (self.red, self.green, self.blue)], axis=1)
        white = _xyz(self.white)
        colours = corners * np.linalg.solve(corners, white)
        scale = np.diag((CONES @ D50) / (CONES @ white))
        adapted: Floats = np.linalg.inv(CONES) @ scale @ CONES @ colours
        return adapted

    def profile(self) -> bytes:
        """Return the profile."""
        matrix = self.to_d50()
        curve = _curve(self.gamma)
        tags = {
            b"desc": _text(self.name),
            b"cprt": _text("none"),
            b"wtpt": _point(D50),
            b"rXYZ": _point(matrix[:, 0]),
            b"gXYZ": _point(matrix[:, 1]),
            b"bXYZ": _point(matrix[:, 2]),
            **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
        }
        return _profile(b"RGB ", tags)


SRGB = Space("sRGB", (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = Space("Display P3", (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = Space("Adobe RGB", (0.64, 0.33), (0.21, 0.71), (0.15, 0.06), gamma=2.19921875)
PROPHOTO = Space(
    "ProPhoto RGB", (0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), D50_XY, gamma=1.8
)
BT_2020 = Space("BT.2020", (0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
LINEAR = Space("linear", SRGB.red, SRGB.green, SRGB.blue, gamma=1.0)
WIDE = (DISPLAY_P3, ADOBE_RGB, PROPHOTO)


def grey_profile(gamma: float) -> bytes:
    """Return the profile of grey with a gamma."""
    tags = {
        b"desc": _text(f"grey {gamma}"),
        b"cprt": _text("none"),
        b"wtpt": _point(D50),
        b"kTRC": _curve(gamma),
    }
    return _profile(b"GRAY", tags)


def cmyk_profile(corners: list[tuple[float, float, float]]) -> bytes:
    """Return a profile of inks by the Lab colours of their 16 corners, the last ink fastest."""
    table = b"".join(
        bytes((round(light * 2.55), round(a + 128), round(b + 128))) for light, a, b in corners
    )
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    ramp = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + table + ramp * 3
    tags = {
        b"desc": _text("inks"),
        b"cprt": _text("none"),
        b"wtpt": _point(D50),
        b"A2B0": lut,
        b"A2B1": lut,
    }
    return _profile(b"CMYK", tags, connection=b"Lab ", kind=b"prtr")


def _xyz(xy: tuple[float, float]) -> Floats:
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _profile(
    space: bytes, tags: dict[bytes, bytes], *, connection: bytes = b"XYZ ", kind: bytes = b"mntr"
) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, body = b"", b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    head = struct.pack(
        ">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, kind, space, connection
    )
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(point: Floats) -> bytes:
    return struct.pack(">3i", *(round(float(value) * 65536) for value in point))


def _point(point: Floats) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(point)


def _curve(gamma: float) -> bytes:
    if gamma:
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    steps = np.rint(srgb_light(np.linspace(0, 1, 1024)) * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(steps)) + steps.tobytes()


def _text(text: str) -> bytes:
    stored = text.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(stored)) + stored + bytes(78)
