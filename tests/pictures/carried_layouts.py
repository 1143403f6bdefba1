"""What files carry beside their pixels: orientation, colour profile, further frames."""

import struct
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.pictures import icc, png, reference, tiff
from tests.pictures.files import (
    BLOCK,
    LOSSLESS,
    LOSSY,
    LOSSY_LEVELS,
    WRITERS,
    blocks,
    encoded,
    heic,
    inks,
    layout,
    on_white,
    picture,
    with_alpha,
)
from tests.pictures.layouts import Layout

# How a camera stores what it sees under each EXIF orientation. Source: EXIF 2.3, 4.6.4 A.
STORED_AS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.transpose(1, 0, 2),
    6: lambda seen: seen.transpose(1, 0, 2)[::-1],
    7: lambda seen: seen[::-1, ::-1].transpose(1, 0, 2),
    8: lambda seen: seen.transpose(1, 0, 2)[:, ::-1],
}
TYPES = {1: "BYTE", 3: "SHORT", 4: "LONG", 6: "SBYTE", 8: "SSHORT", 9: "SLONG"}
SHORT = 3
# A level of a wide gamut is up to three of sRGB.
WIDE_LEVELS = 3 * LOSSY_LEVELS
WIDE_WHY = "a level of a wide gamut is up to three of sRGB"


def all_layouts() -> Iterator[Layout]:
    """Give every layout that is tried."""
    yield from _orientations()
    yield from _orientations_of_tiff()
    yield from _wide_gamuts()
    yield from _other_profiles()
    yield from _useless_profiles()
    yield from _numbers()
    yield from _chunks_of_colour()
    yield from _animations()
    yield from _compressed_tiffs()


def exif(orientation: int, kind: int = SHORT, order: str = ">") -> bytes:
    """Return EXIF data with an orientation of the given type."""
    mark = b"MM" if order == ">" else b"II"
    value = struct.pack(order + tiff.CODES[kind], orientation).ljust(4, b"\0")
    head = struct.pack(f"{order}HIHHHI", 42, 8, 1, 0x112, kind, 1)
    return b"Exif\0\0" + mark + head + value + bytes(4)


def _turned(orientation: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(STORED_AS[orientation](blocks()))


def _orientations() -> Iterator[Layout]:
    for format, orientation in product(("JPEG", "PNG", "WEBP", "AVIF", "HEIC"), STORED_AS):
        upload = WRITERS[format](picture(_turned(orientation)), exif=exif(orientation))
        yield layout(format, "RGB", f"orientation {orientation}", upload, blocks())
    for format, kind, order in product(("JPEG", "PNG", "WEBP"), TYPES, "<>"):
        upload = WRITERS[format](picture(_turned(6)), exif=exif(6, kind, order))
        yield layout(format, "RGB", f"orientation as {TYPES[kind]}", upload, blocks())


def _orientations_of_tiff() -> Iterator[Layout]:
    for orientation, kind, order in product(STORED_AS, TYPES, "<>"):
        file = tiff.Tiff(photometric=tiff.RGB, orientation=(kind, orientation), order=order)
        variety = f"orientation {orientation}" if kind == SHORT else f"orientation as {TYPES[kind]}"
        yield layout("TIFF", "RGB", variety, file.write(_turned(orientation)), blocks())


def _profiled(
    format: str, model: str, variety: str, upload: bytes, colours: NDArray[Any], **more: Any
) -> Layout:
    tolerance = 2 if format in LOSSLESS else WIDE_LEVELS
    options = {"tolerance": tolerance, "why": WIDE_WHY} | more
    return layout(format, model, variety, upload, colours, **options)


def _wide_gamuts() -> Iterator[Layout]:
    stored = blocks(3)
    for space, format in product((icc.SRGB, *icc.WIDE), WRITERS):
        upload = WRITERS[format](picture(stored), icc_profile=space.profile())
        yield _profiled(format, "RGB", space.name, upload, space.to_srgb(stored / 255))
    space = icc.ADOBE_RGB
    for format in ("PNG", "WEBP", "TIFF"):
        upload = WRITERS[format](with_alpha(stored), icc_profile=space.profile())
        colours = on_white(space.to_srgb(stored / 255))
        yield _profiled(format, "RGB", space.name, upload, colours, alpha="straight")
    palette = Image.fromarray(stored).quantize(12)
    colours = space.to_srgb(np.asarray(palette.convert("RGB")) / 255)
    upload = encoded(palette, "PNG", icc_profile=space.profile())
    yield _profiled("PNG", "palette", space.name, upload, colours)


def _other_profiles() -> Iterator[Layout]:
    grey = blocks(4, 1)
    colours = reference.srgb_curve(grey / 255).repeat(3, 2)
    for format in ("JPEG", "PNG", "TIFF"):
        options = {"quality": 100} if format == "JPEG" else {}
        upload = WRITERS[format](picture(grey), icc_profile=icc.grey_profile(1.0), **options)
        yield _profiled(format, "grey", "linear profile", upload, colours)
    stored, profile, colours = _of_inks()
    for format in ("JPEG", "TIFF"):
        upload = WRITERS[format](inks(stored), icc_profile=profile)
        why = "Lab of 8 bits in the profile, and lossy coding in JPEG"
        yield _profiled(
            format, "CMYK", "profile of inks", upload, colours, tolerance=2 * LOSSY_LEVELS, why=why
        )


def _of_inks() -> tuple[NDArray[np.uint8], bytes, NDArray[Any]]:
    """Return every combination of full inks [64, 64, 4], a profile of them, and their colours."""
    corners = np.array(list(product((0, 1), repeat=4)), np.uint8)
    cyan, magenta, yellow, black = corners.T.astype(float)
    lightness = 100 - 18 * (cyan + magenta + yellow) - 40 * black
    lab = np.stack([lightness, 30 * (magenta - cyan), 40 * (yellow - magenta)], axis=1)
    table = lab.reshape(4, 4, 3).repeat(BLOCK, 0).repeat(BLOCK, 1)
    stored = (corners * 255).reshape(4, 4, 4).repeat(BLOCK, 0).repeat(BLOCK, 1)
    return stored, icc.cmyk_profile(lab.tolist()), reference.lab(*np.moveaxis(table, 2, 0))


def _useless_profiles() -> Iterator[Layout]:
    profiles = {"broken profile": b"\0" * 200, "profile of another model": icc.grey_profile(1.0)}
    for variety, format in product(profiles, ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")):
        upload = WRITERS[format](picture(blocks()), icc_profile=profiles[variety])
        yield layout(format, "RGB", variety, upload, blocks())


def _numbers() -> Iterator[Layout]:
    """Give pictures whose colours are named by numbers. Source: ITU-T H.273, tables 2 and 3."""
    stored = blocks(3)
    for number, space in ((1, icc.SRGB), (12, icc.DISPLAY_P3), (9, icc.BT_2020)):
        variety, colours = f"{space.name} by number", space.to_srgb(stored / 255)
        chunk = (b"cICP", bytes((number, 13, 0, 1)))
        upload = png.write(stored, png.RGB, 8, chunks=[chunk])
        yield _profiled("PNG", "RGB", variety, upload, colours)
        if space is icc.BT_2020:  # Of which lossy coding leaves too little to compare.
            continue
        coded = {"primaries": number, "transfer": 13, "matrix": 6}
        upload = imagecodecs.avif_encode(stored, level=95, **coded)
        yield _profiled("AVIF", "RGB", variety, upload, colours)
        upload = heic(
            picture(stored),
            color_primaries=number,
            transfer_characteristics=13,
            matrix_coefficients=6,
        )
        yield _profiled("HEIC", "RGB", variety, upload, colours)


def _chunks_of_colour() -> Iterator[Layout]:
    """Give PNGs with the older chunks, gAMA and cHRM, which count times 100,000."""
    stored, grey = blocks(3), blocks(4, 1)
    p3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    srgb = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    usual, linear = struct.pack(">I", 45455), struct.pack(">I", 100000)
    for variety, space, chunks in (
        ("gAMA of sRGB", icc.SRGB, [(b"gAMA", usual), (b"cHRM", srgb)]),
        ("gAMA beside sRGB", icc.SRGB, [(b"gAMA", linear), (b"sRGB", b"\0")]),
        ("gAMA 1.0", icc.LINEAR, [(b"gAMA", linear)]),
        ("cHRM of Display P3", icc.DISPLAY_P3, [(b"gAMA", usual), (b"cHRM", p3)]),
        ("cHRM of nothing", icc.SRGB, [(b"gAMA", usual), (b"cHRM", bytes(32))]),
    ):
        upload = png.write(stored, png.RGB, 8, chunks=chunks)
        yield _profiled("PNG", "RGB", variety, upload, space.to_srgb(stored / 255))
    colours = reference.srgb_curve(grey / 255).repeat(3, 2)
    for bits in (8, 16):
        samples = grey.astype(np.uint64) * (257 if bits == 16 else 1)
        upload = png.write(samples, png.GREY, bits, chunks=[(b"gAMA", linear)])
        yield _profiled("PNG", "grey", "gAMA 1.0", upload, colours, depth=str(bits))


def _animations() -> Iterator[Layout]:
    for format in ("GIF", "WEBP", "PNG", "AVIF", "TIFF"):
        write = WRITERS.get(format) or (lambda image, **more: encoded(image, "GIF", **more))
        frames = {"save_all": True, "append_images": [picture(blocks(9))]}
        model = "palette" if format == "GIF" else "RGB"
        variety = "several pages" if format == "TIFF" else "animated"
        yield layout(format, model, variety, write(picture(blocks()), **frames), blocks())


def _compressed_tiffs() -> Iterator[Layout]:
    names = ("tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd", "jpeg")
    for name, channels in product(names, (1, 3)):
        shown, options = blocks(1, channels), {"quality": 95} if name == "jpeg" else {}
        upload = encoded(picture(shown), "TIFF", compression=name, **options)
        model, colours = ("RGB", shown) if channels > 1 else ("grey", shown.repeat(3, 2))
        expected = LOSSY if name == "jpeg" else {"tolerance": 0}
        variety = f"compression {name.removeprefix('tiff_')}"
        yield layout("TIFF", model, variety, upload, colours, **expected)
    two = picture(blocks(1, 1)).point(lambda level: 255 * (level > 128)).convert("1")
    for name in ("group3", "group4", "tiff_ccitt"):
        upload = encoded(two, "TIFF", compression=name)
        variety = f"compression {name.removeprefix('tiff_')}"
        colours = np.asarray(two.convert("RGB"))
        yield layout("TIFF", "grey", variety, upload, colours, depth="1", tolerance=0)
