"""What a file says of its colours by number, where it has no profile.

Sources: ITU-T H.273, tables 2 and 3; PNG Specification (Third Edition), 11.3.2; ISO/IEC 14496-12,
12.1.5.
"""

import struct
from collections.abc import Iterator

from PIL import Image

from model_store.pictures import png
from model_store.pictures.spaces import PRIMARIES, SRGB, XY, Space

# Transfer characteristics that are another curve than that of sRGB, by their gamma. Those of video
# are shown as sRGB is.
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
# The gamma of files that mean sRGB and cannot say so.
_OF_SRGB, _NEAR = 2.2, 0.05
# Primaries are written with five digits, and rounded to three by many.
_CLOSE = 0.002
_BOX = b"colrnclx"
_WITH_BOXES = ("AVIF", "HEIC")


def named(upload: bytes, format: str) -> set[tuple[int, int]]:
    """Return the primaries and transfer characteristics that a file names, of all its pictures."""
    if format == "PNG":
        bodies = (body for name, body in png.chunks(upload) if name == b"cICP")
        return {(body[0], body[1]) for body in bodies if len(body) > 1}
    return set(_boxes(upload)) if format in _WITH_BOXES else set()


def space_of(image: Image.Image, upload: bytes, format: str) -> Space | None:
    """Return the colour space of a picture without a profile; None where it is sRGB.

    A file whose pictures have several, such as one with a gain map, does not tell which it is.
    """
    found = named(upload, format)
    if len(found) == 1:
        ((primaries, transfer),) = found
        space = Space(PRIMARIES.get(primaries, SRGB), gamma=_GAMMAS.get(transfer, 0.0))
    elif found or "srgb" in image.info:
        return None
    else:
        space = _of_png(image)
    return None if space == Space() else space


def _of_png(image: Image.Image) -> Space:
    """Return what the chunks gAMA and cHRM say, which no other format has."""
    gamma = 1 / (image.info.get("gamma") or 1 / _OF_SRGB)
    curve = 0.0 if abs(gamma - _OF_SRGB) < _NEAR else gamma
    points = image.info.get("chromaticity")
    if not points:
        return Space(gamma=curve)
    white, red, green, blue = zip(points[::2], points[1::2], strict=True)
    corners = (red, green, blue)
    return Space(SRGB, gamma=curve) if _is_srgb(corners) else Space(corners, white, curve)


def _is_srgb(corners: tuple[XY, XY, XY]) -> bool:
    pairs = zip(sum(corners, ()), sum(SRGB, ()), strict=True)
    return all(abs(found - meant) < _CLOSE for found, meant in pairs)


def _boxes(upload: bytes) -> Iterator[tuple[int, int]]:
    """Give what each colour box names; pictures beside the main one may have their own."""
    place = upload.find(_BOX)
    while place >= 0 and place + len(_BOX) + 4 <= len(upload):
        primaries, transfer = struct.unpack_from(">HH", upload, place + len(_BOX))
        yield primaries, transfer
        place = upload.find(_BOX, place + len(_BOX))
