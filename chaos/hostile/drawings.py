"""Seed pictures: small ones of every accepted format in the varieties that are written differently.

They are drawn, never photographed, so that a corpus is made anew from its number alone.
"""

import io
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pillow_heif
from PIL import Image, ImageCms

from chaos.hostile.bombs import bmp, tiff
from model_store.pictures.headers import ACCEPTED_FORMATS

SIZE = (48, 40)
# How Pillow calls the writer of a format that has another name here.
_WRITERS = {"HEIC": "HEIF"}
_ORIENTATION, _SIDEWAYS = 0x0112, 6

Variety = dict[str, Any]
# Options of a writer; `mode` is the colour model that is written.
_VARIETIES: dict[str, tuple[Variety, ...]] = {
    "JPEG": (
        {"mode": "RGB"},
        {"mode": "RGB", "progressive": True, "subsampling": 0},
        {"mode": "L", "restart_marker_blocks": 2},
        {"mode": "CMYK"},
        {"mode": "RGB", "described": True},
    ),
    "PNG": (
        {"mode": "RGB"},
        {"mode": "RGBA", "described": True},
        {"mode": "P", "transparency": 3},
        {"mode": "1"},
        {"mode": "I;16"},
        {"mode": "LA"},
        {"mode": "RGB", "frames": 3},
    ),
    "WEBP": (
        {"mode": "RGB"},
        {"mode": "RGBA"},
        {"mode": "RGBA", "lossless": True},
        {"mode": "RGB", "described": True},
        {"mode": "RGBA", "frames": 3},
    ),
    "GIF": (
        {"mode": "P"},
        {"mode": "L", "comment": b"drawn"},
        {"mode": "P", "transparency": 3, "interlace": 0},
        {"mode": "RGBA", "frames": 3},
    ),
    "BMP": ({"mode": "RGB"}, {"mode": "RGBA"}, {"mode": "P"}, {"mode": "L"}, {"mode": "1"}),
    "TIFF": (
        {"mode": "RGB"},
        {"mode": "RGBA", "compression": "tiff_lzw", "described": True},
        {"mode": "RGB", "compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}},
        {"mode": "RGB", "compression": "jpeg"},
        {"mode": "CMYK", "compression": "packbits"},
        {"mode": "1", "compression": "group4"},
        {"mode": "1", "compression": "group3"},
        {"mode": "I;16B"},
        {"mode": "I;16", "compression": "tiff_lzw"},
        {"mode": "P"},
        {"mode": "RGB", "frames": 3},
    ),
    "HEIC": (
        {"mode": "RGB"},
        {"mode": "RGBA"},
        {"mode": "L"},
        {"mode": "RGB", "described": True},
        {"mode": "RGB", "frames": 2},
    ),
    "AVIF": (
        {"mode": "RGB"},
        {"mode": "RGBA"},
        {"mode": "L", "subsampling": "4:0:0"},
        {"mode": "RGB", "described": True},
        {"mode": "RGB", "frames": 3},
    ),
}
_OTHERS: tuple[Variety, ...] = ({"mode": "RGB"}, {"mode": "RGBA"}, {"mode": "L"})


def _runs(kind: int, bits: int) -> bytes:
    colours = 1 << bits
    palette = bytes(range(64)) * (colours // 16)
    row = bytes((40, 0x21, 0, 3, 0x12, 0x34, 0x56, 0, 5, 0x11, 0, 0))
    return bmp.header(*SIZE, bits, kind, colours=colours) + palette + row * SIZE[1] + b"\0\1"


def _tiled() -> bytes:
    tile = bytes(range(256))
    more: list[tiff.Entry] = [
        (tiff.TILE_WIDTH, 4, [16]),
        (tiff.TILE_LENGTH, 4, [16]),
        (tiff.TILE_OFFSETS, 4, [8] * 9),
        (tiff.TILE_COUNTS, 4, [len(tile)] * 9),
    ]
    return tiff.file([*tiff.basics(*SIZE, 1), *more], tile)


# What no writer writes.
_BUILT: dict[str, tuple[Callable[[], bytes], ...]] = {
    "JPEG": (lambda: _written("MPO", {"mode": "RGB", "frames": 2}),),
    "BMP": (lambda: _runs(1, 8), lambda: _runs(2, 4)),
    "TIFF": (_tiled,),
}


@cache
def seeds(format: str) -> tuple[bytes, ...]:
    """Return the seed pictures of a format.

    Raises:
        LookupError: nothing here writes the format.
    """
    if format not in ACCEPTED_FORMATS:
        raise LookupError(f"{format} is not accepted; there are {', '.join(ACCEPTED_FORMATS)}")
    varieties = _VARIETIES.get(format, _OTHERS)
    written = [_written(_WRITERS.get(format, format), each) for each in varieties]
    return *written, *(build() for build in _BUILT.get(format, ()))


def _written(writer: str, variety: Variety) -> bytes:
    options = dict(variety)
    mode, frames = options.pop("mode"), options.pop("frames", 1)
    if options.pop("described", False):
        options |= _description()
    if frames > 1:
        options |= {"save_all": True, "append_images": list(_frames(mode, frames))}
    if writer == "HEIF":
        pillow_heif.register_heif_opener()
    stream = io.BytesIO()
    _drawn(mode).save(stream, writer, **options)
    return stream.getvalue()


def _frames(mode: str, count: int) -> Iterator[Image.Image]:
    for turn in range(1, count):
        yield _drawn(mode).rotate(20 * turn)


def _drawn(mode: str) -> Image.Image:
    """Return slopes in three directions, as a picture of the mode."""
    slope, hill = Image.linear_gradient("L"), Image.radial_gradient("L")
    channels = [each.resize(SIZE) for each in (slope, slope.rotate(90), hill, hill)]
    if mode.startswith("I;16"):
        return channels[0].convert("I").point(lambda grey: grey * 257).convert("I;16")
    if mode in {"RGBA", "CMYK"}:
        return Image.merge(mode, channels)
    return Image.merge("RGB", channels[:3]).convert(mode)


def _description() -> Variety:
    exif = Image.Exif()
    exif[_ORIENTATION] = _SIDEWAYS
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return {"exif": exif.tobytes(), "icc_profile": profile.tobytes()}
