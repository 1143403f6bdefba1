"""JPEG, GIF, WebP, AVIF and HEIC: what phones, cameras and browsers write."""

import io
import struct
from collections.abc import Iterator
from itertools import product

import imagecodecs
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from tests.pictures import reference
from tests.pictures.files import (
    HEIGHT,
    LOSSY,
    LOSSY_LEVELS,
    OPACITY,
    QUALITY,
    WIDTH,
    avif,
    blocks,
    deep_heic,
    encoded,
    heic,
    inks,
    jpeg,
    layout,
    on_white,
    picture,
    with_alpha,
)
from tests.pictures.layouts import HIGH_RANGE, Layout

SHARED_COLOURS = {
    "tolerance": LOSSY_LEVELS + 2,
    "why": f"four pixels share a colour at quality {QUALITY}",
}
BT_2020 = 9


def all_layouts() -> Iterator[Layout]:
    """Give every layout that is tried."""
    yield from _jpegs()
    yield from _jpegs_with_more()
    yield from _jpegs_of_inks()
    yield from _rare_jpegs()
    yield from _gifs()
    yield from _webps()
    yield from _avifs()
    yield from _deep_avifs()
    yield from _heics()
    yield from _deep_heics()


def _jpegs() -> Iterator[Layout]:
    for variety, options in {
        "4:4:4": {"subsampling": 0},
        "4:2:2": {"subsampling": 1},
        "4:2:0": {"subsampling": 2},
        "progressive": {"progressive": True},
        "restart markers": {"restart_marker_blocks": 1},
    }.items():
        yield layout("JPEG", "YCbCr", variety, jpeg(picture(blocks()), **options), blocks())
    upload = encoded(picture(blocks()), "JPEG", quality=QUALITY, keep_rgb=True)
    yield layout("JPEG", "RGB", "Adobe, no transform", upload, blocks())
    grey = blocks(1, 1)
    for variety, is_progressive in (("plain", False), ("progressive", True)):
        upload = encoded(picture(grey), "JPEG", quality=QUALITY, progressive=is_progressive)
        yield layout("JPEG", "grey", variety, upload, grey.repeat(3, 2))


def _jpegs_with_more() -> Iterator[Layout]:
    """Give the files of phones, which have more than one picture in them."""
    plain, second = jpeg(picture(blocks())), picture(blocks(9))
    several = {"save_all": True, "append_images": [second]}
    mpo = encoded(picture(blocks()), "MPO", quality=QUALITY, subsampling=0, **several)
    gain = plain[:2] + _gain_map_xmp() + plain[2:] + encoded(picture(blocks(9, 1)), "JPEG")
    film = struct.pack(">I", 24) + b"ftypmp42\0\0\0\0isommp42"
    film += struct.pack(">I", 5008) + b"mdat" + bytes(5000)
    for variety, upload in {
        "bytes after the end": plain + bytes(1000),
        "multi-picture (MPO)": mpo,
        "gain map": gain,
        "motion photo": plain + film,
    }.items():
        yield layout("JPEG", "YCbCr", variety, upload, blocks())


def _gain_map_xmp() -> bytes:
    """Return the segment that announces a gain map. Source: Adobe's gain map specification 1.0."""
    xmp = (
        b"http://ns.adobe.com/xap/1.0/\0"
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
        b' hdrgm:Version="1.0"/></rdf:RDF></x:xmpmeta>'
    )
    return b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp


def _jpegs_of_inks() -> Iterator[Layout]:
    stored = blocks(2, 4)
    colours, adobe = reference.cmyk(stored / 255), jpeg(inks(stored))
    yield layout("JPEG", "CMYK", "Adobe (inverted)", adobe, colours)
    # Nobody wrote down what inks without the marker mean; browsers take them as those of Adobe.
    place = adobe.index(b"\xff\xee\0\x0eAdobe")
    yield layout("JPEG", "CMYK", "no Adobe marker", adobe[:place] + adobe[place + 16 :], colours)
    ycck = imagecodecs.jpeg8_encode(
        255 - stored, level=QUALITY, colorspace="CMYK", outcolorspace="YCCK"
    )
    yield layout("JPEG", "YCCK", "Adobe (inverted)", ycck, colours)


def _rare_jpegs() -> Iterator[Layout]:
    deep = imagecodecs.jpeg8_encode(blocks().astype(np.uint16) * 16, bitspersample=12)
    yield layout("JPEG", "YCbCr", "plain", deep, None, depth="12")
    grey = blocks(1, 1)
    lossless = imagecodecs.ljpeg_encode(grey[..., 0])
    yield layout("JPEG", "grey", "lossless", lossless, grey.repeat(3, 2), tolerance=0)


def _gifs() -> Iterator[Layout]:
    for bits, interlaced, is_grey in product((1, 2, 4, 8), (0, 1), (False, True)):
        random = np.random.default_rng(bits)
        palette = random.integers(0, 256, (2**bits, 3), np.uint8)
        if is_grey:
            palette = np.arange(2**bits, dtype=np.uint8)[:, None].repeat(3, 1)
        stored = random.integers(0, 2**bits, (HEIGHT, WIDTH), np.uint8)
        image = Image.fromarray(stored)
        image.putpalette(palette.reshape(-1).tolist())
        opaque = (stored != 1)[..., None] * 1.0
        options = {"interlace": interlaced, "optimize": False}
        expected = {"depth": str(bits), "tolerance": 0}
        variety = ("interlaced" if interlaced else "plain") + (", greys" if is_grey else "")
        upload = encoded(image, "GIF", **options)
        yield layout("GIF", "palette", variety, upload, palette[stored], **expected)
        upload = encoded(image, "GIF", transparency=1, **options)
        colours = reference.on_white(palette[stored] / 255, opaque)
        yield layout("GIF", "palette", variety, upload, colours, alpha="palette", **expected)


def _webps() -> Iterator[Layout]:
    shown, mixed = blocks(), on_white(blocks())
    for variety, options, model, expected in (
        ("lossless", {"lossless": True, "exact": True}, "RGB", {}),
        ("lossy", {"quality": QUALITY}, "YCbCr", LOSSY),
    ):
        plain = encoded(picture(shown), "WEBP", **options)
        yield layout("WEBP", model, variety, plain, shown, **expected)
        upload = encoded(with_alpha(shown), "WEBP", **options)
        yield layout("WEBP", model, variety, upload, mixed, alpha="straight", **expected)
        upload = encoded(with_alpha(shown, opacity=0), "WEBP", **options)
        white = np.full_like(shown, 255)
        yield layout("WEBP", model, variety, upload, white, alpha="all zero", **expected)


def _avifs() -> Iterator[Layout]:
    shown, mixed = blocks(), on_white(blocks())
    for is_associated, alpha in ((False, "straight"), (True, "associated")):
        upload = avif(with_alpha(shown), alpha_premultiplied=is_associated)
        yield layout("AVIF", "YCbCr", "plain", upload, mixed, alpha=alpha)
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        expected = SHARED_COLOURS if sampling == "4:2:0" else {}
        upload = avif(picture(shown), subsampling=sampling)
        yield layout("AVIF", "YCbCr", sampling, upload, shown, **expected)
    upload = avif(picture(shown), range="limited")
    yield layout("AVIF", "YCbCr", "limited range", upload, shown)


def _deep_avifs() -> Iterator[Layout]:
    shown = blocks()
    for bits in (8, 10, 12):
        expected, write = {"depth": str(bits)}, {"level": QUALITY, "bitspersample": bits}
        deep = _scaled(shown, bits)
        upload = imagecodecs.avif_encode(deep, **write)
        yield layout("AVIF", "YCbCr", "plain", upload, shown, **expected)
        upload = imagecodecs.avif_encode(np.ascontiguousarray(deep[..., 0]), **write)
        yield layout("AVIF", "grey", "plain", upload, shown[..., :1].repeat(3, 2), **expected)
        alpha = _scaled(np.full((HEIGHT, WIDTH, 1), OPACITY, np.uint8), bits)
        upload = imagecodecs.avif_encode(np.concatenate([deep, alpha], 2), **write)
        mixed = on_white(shown)
        yield layout("AVIF", "YCbCr", "plain", upload, mixed, alpha="straight", **expected)
        for transfer, name in HIGH_RANGE.items():
            colours = {"primaries": BT_2020, "transfer": transfer, "matrix": BT_2020}
            upload = imagecodecs.avif_encode(deep, **write, **colours)
            variety = f"high dynamic range ({name})"
            yield layout("AVIF", "YCbCr", variety, upload, None, **expected)


def _scaled(levels: NDArray[np.uint8], bits: int) -> NDArray[np.uint16 | np.uint8]:
    scaled = np.rint(levels / 255 * (2**bits - 1))
    return scaled.astype(np.uint8 if bits == 8 else np.uint16)


def _heics() -> Iterator[Layout]:
    shown = blocks()
    yield layout("HEIC", "YCbCr", "4:2:0", heic(picture(shown)), shown)
    yield layout("HEIC", "YCbCr", "4:4:4", heic(picture(shown), chroma=444), shown)
    upload = heic(with_alpha(shown))
    yield layout("HEIC", "YCbCr", "4:2:0", upload, on_white(shown), alpha="straight")
    grey = shown[..., :1].copy()
    yield layout("HEIC", "grey", "plain", heic(picture(grey)), grey.repeat(3, 2))
    file = pillow_heif.from_pillow(picture(blocks(9)))
    file.add_from_pillow(picture(shown))
    stream = io.BytesIO()
    file.save(stream, quality=QUALITY, primary_index=1)
    yield layout("HEIC", "YCbCr", "multi-picture", stream.getvalue(), shown)


def _deep_heics() -> Iterator[Layout]:
    for bits in (10, 12):
        upload = deep_heic(blocks(), bits=bits)
        yield layout("HEIC", "YCbCr", "4:2:0", upload, blocks(), depth=str(bits))
        for transfer, name in HIGH_RANGE.items():
            options = {
                "color_primaries": BT_2020,
                "transfer_characteristics": transfer,
                "matrix_coefficients": BT_2020,
            }
            upload = deep_heic(blocks(), bits=bits, **options)
            variety = f"high dynamic range ({name})"
            yield layout("HEIC", "YCbCr", variety, upload, None, depth=str(bits))
