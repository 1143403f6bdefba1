"""PNG: every depth, kind and transparency that the standard has."""

import struct
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.pictures import png, reference
from tests.pictures.layouts import HEIGHT, HIGH_RANGE, WIDTH, Layout, ramp

MODELS = {
    png.GREY: "grey",
    png.RGB: "RGB",
    png.PALETTE: "palette",
    png.GREY_ALPHA: "grey",
    png.RGB_ALPHA: "RGB",
}
CHANNELS = {png.GREY: 1, png.RGB: 3, png.PALETTE: 1, png.GREY_ALPHA: 2, png.RGB_ALPHA: 4}
DEPTHS = {
    png.GREY: (1, 2, 4, 8, 16),
    png.RGB: (8, 16),
    png.PALETTE: (1, 2, 4, 8),
    png.GREY_ALPHA: (8, 16),
    png.RGB_ALPHA: (8, 16),
}
WITH_ALPHA = ("straight", "all zero")
ALPHAS = {
    png.GREY: ("none", "key colour"),
    png.RGB: ("none", "key colour"),
    png.PALETTE: ("none", "palette"),
    png.GREY_ALPHA: WITH_ALPHA,
    png.RGB_ALPHA: WITH_ALPHA,
}
# Where the pixel is whose colour is the key; the second one is as in a file with a key of zero.
KEY, ZERO = (9, 9), (0, 0)
# Rows that differ from the key in the lowest bit alone.
ALMOST_KEY = slice(5, 8)

Shown = tuple[list[tuple[bytes, bytes]], NDArray[Any], NDArray[Any]]
"""Chunks before the pixels, colours [H, W, 3] and opacity [H, W, 1], from 0 to 1."""


def all_layouts() -> Iterator[Layout]:
    """Give every layout that is tried."""
    for kind, depths in DEPTHS.items():
        for bits, alpha, interlaced in product(depths, ALPHAS[kind], (False, True)):
            yield _layout(kind, bits, alpha, interlaced=interlaced)
            if alpha == "key colour":
                yield _layout(kind, bits, alpha, interlaced=interlaced, key=ZERO)
    for transfer, name in {13: "sRGB", **HIGH_RANGE}.items():
        yield _coded(transfer, name)


def _coded(transfer: int, name: str) -> Layout:
    """Return a PNG that names its colours by number. Source: ITU-T H.273."""
    samples = ramp(3, 8)
    chunk = (b"cICP", bytes((1 if name == "sRGB" else 9, transfer, 0, 1)))
    upload = png.write(samples, png.RGB, 8, chunks=[chunk])
    colours = reference.levels(samples / 255) if name == "sRGB" else None
    variety = f"colours by number ({name})"
    return Layout("PNG", "RGB", "8", upload, colours, variety=variety)


def _layout(
    kind: int, bits: int, alpha: str, *, interlaced: bool, key: tuple[int, int] = KEY
) -> Layout:
    samples = ramp(CHANNELS[kind], bits)
    chunks, colours, opacity = _shown(samples, kind, bits, alpha, key)
    tolerance, why = _tolerance(bits, alpha)
    return Layout(
        format="PNG",
        model=MODELS[kind],
        depth=str(bits),
        upload=png.write(samples, kind, bits, chunks=chunks, interlaced=interlaced),
        colours=reference.levels(reference.on_white(colours, opacity)),
        alpha=alpha,
        variety="interlaced" if interlaced else "plain",
        tolerance=tolerance,
        why=why,
    )


def _tolerance(bits: int, alpha: str) -> tuple[int, str]:
    if bits == 16:
        return (2 if alpha in WITH_ALPHA else 1), "Pillow takes the upper byte of each sample"
    return int(alpha != "none"), "rounding, once more than the reference" if alpha != "none" else ""


def _shown(samples: NDArray[Any], kind: int, bits: int, alpha: str, key: tuple[int, int]) -> Shown:
    top = 2**bits - 1
    if kind == png.PALETTE:
        return _palette(samples, bits, alpha)
    if kind in (png.GREY_ALPHA, png.RGB_ALPHA):
        if alpha == "all zero":
            samples[..., -1] = 0
        return [], _three(samples[..., :-1] / top), samples[..., -1:] / top
    if alpha == "none":
        return [], _three(samples / top), np.ones((HEIGHT, WIDTH, 1))
    return _with_key(samples, top, key)


def _with_key(samples: NDArray[Any], top: int, key: tuple[int, int]) -> Shown:
    colour = samples[key].copy()
    samples[ALMOST_KEY] = colour ^ np.uint64(1)
    shown = (samples != colour).any(axis=2, keepdims=True)
    chunk = struct.pack(f">{len(colour)}H", *colour.tolist())
    return [(b"tRNS", chunk)], _three(samples / top), shown * 1.0


def _palette(samples: NDArray[Any], bits: int, alpha: str) -> Shown:
    random = np.random.default_rng(bits)
    palette = random.integers(0, 256, (2**bits, 3), np.uint8)
    alphas = random.integers(0, 256, (2**bits, 1), np.uint8)
    chunks, colours = [(b"PLTE", palette.tobytes())], palette[samples[..., 0]] / 255
    if alpha == "none":
        return chunks, colours, np.ones((HEIGHT, WIDTH, 1))
    return [*chunks, (b"tRNS", alphas.tobytes())], colours, alphas[samples[..., 0]] / 255


def _three(colours: NDArray[Any]) -> NDArray[Any]:
    return np.broadcast_to(colours, (HEIGHT, WIDTH, 3))
