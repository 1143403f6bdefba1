"""From the colours that a file means to sRGB, which every network here was trained on.

Phones write Display P3, cameras Adobe RGB; the same numbers taken for sRGB are paler.
"""

import io
import struct
from contextlib import suppress
from functools import lru_cache
from typing import cast

from PIL import Image, ImageChops, ImageCms

from model_store.pictures import numbers, primaries

_SRGB = ImageCms.createProfile("sRGB")
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_SPACE, _OF_COLOURS = slice(16, 20), b"RGB "
_MODES = frozenset({"RGB", "L", "CMYK"})
# Rounding alone moves the colours of a profile that is sRGB by one level.
_ALIKE_LEVELS = 1
_STEPS = range(0, 256, 32)


def to_srgb(image: Image.Image) -> Image.Image:
    """Return the picture in sRGB if its profile says that it is in something else.

    A profile that is broken, or is for pixels of another kind, says nothing.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "L" and isinstance(profile, bytes) and profile[_SPACE] == _OF_COLOURS:
        image = image.convert("RGB")  # Grey has the curve of its colours.
    if not isinstance(profile, bytes) or image.mode not in _MODES:
        return image
    transform = _transform(profile, image.mode)
    return image if transform is None else _applied(image, transform)


def with_profile(image: Image.Image, upload: bytes, format: str) -> Image.Image:
    """Return a picture with the profile of the colour space that its file names by numbers."""
    if "icc_profile" in image.info:
        return image
    # Numbers that no colours have say nothing.
    with suppress(ValueError, OverflowError, struct.error):
        space = numbers.space_of(image, upload, format)
        if space is not None:
            image.info["icc_profile"] = primaries.profile(space)
    return image


def from_lab(image: Image.Image) -> Image.Image:
    """Return a picture of the mode LAB, which is under D50, as RGB."""
    return _applied(image, _from_lab())


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what takes pixels to sRGB; None where they are in it, or nobody can tell."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(opened, _SRGB, mode, "RGB", _INTENT, _FLAGS)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    tried = _every_colour().convert(mode)
    difference = ImageChops.difference(_applied(tried, transform), tried.convert("RGB"))
    return max(high for _, high in difference.getextrema()) <= _ALIKE_LEVELS  # type: ignore[misc]


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    # None is returned only where the image itself is changed.
    return cast(Image.Image, ImageCms.applyTransform(image, transform))


def _every_colour() -> Image.Image:
    """Return a picture of one pixel for each of 8 x 8 x 8 colours."""
    colours = bytes(c for r in _STEPS for g in _STEPS for b in _STEPS for c in (r, g, b))
    return Image.frombytes("RGB", (len(_STEPS) ** 2, len(_STEPS)), colours)


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), _SRGB, "LAB", "RGB", _INTENT, ImageCms.Flags.NOOPTIMIZE
    )
