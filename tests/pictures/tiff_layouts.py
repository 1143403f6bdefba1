"""TIFF: what cameras, scanners, microscopes and print shops write."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.pictures import reference, tiff
from tests.pictures.layouts import HEIGHT, WIDTH, Layout, ramp
from tests.pictures.tiff import Tiff

Shown = tuple[Tiff, NDArray[Any], NDArray[Any] | None]
"""A file's layout, its samples [H, W, S], and the colours [H, W, 3] that they mean, if anybody
knows."""

YCBCR_SUBSAMPLING = 530
ALPHAS = {(): "none", (0,): "unspecified", (1,): "associated", (2,): "straight"}
DEPTHS = {
    tiff.WHITE_IS_ZERO: (1, 2, 4, 8, 10, 12, 14, 16, 24, 32),
    tiff.BLACK_IS_ZERO: (1, 2, 4, 8, 10, 12, 14, 16, 24, 32),
    tiff.RGB: (2, 4, 8, 10, 12, 16, 32),
    tiff.CMYK: (2, 4, 8, 10, 12, 16, 32),
    tiff.PALETTE: (1, 2, 4, 8, 16),
    tiff.YCBCR: (8, 16),
    tiff.CIELAB: (8, 16),
    tiff.ICCLAB: (8, 16),
}
WITHOUT_EXTRA = (tiff.YCBCR, tiff.CIELAB, tiff.ICCLAB)
WITH_PREDICTOR = (8, 16)
MODELS = {
    tiff.WHITE_IS_ZERO: "grey",
    tiff.BLACK_IS_ZERO: "grey",
    tiff.RGB: "RGB",
    tiff.PALETTE: "palette",
    tiff.CMYK: "CMYK",
    tiff.YCBCR: "YCbCr",
    tiff.CIELAB: "CIELab",
    tiff.ICCLAB: "ICCLab",
}
VARIETIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "big-endian": {"order": ">"},
    "bits reversed": {"fill": 2},
    "planes": {"planar": 2},
    "tiled": {"tiled": True},
    "strips": {"rows_per_strip": 5},
    "deflated": {"deflated": True},
    "deflated, big-endian": {"deflated": True, "order": ">"},
    "deflated, bits reversed": {"deflated": True, "fill": 2},
    "deflated, planes": {"deflated": True, "planar": 2},
    "deflated, tiled": {"deflated": True, "tiled": True},
    "predictor": {"deflated": True, "predictor": 2},
    "BigTIFF": {"big": True},
    "BigTIFF, big-endian": {"big": True, "order": ">"},
}


def all_layouts() -> Iterator[Layout]:
    """Give every layout that is tried."""
    for variety, options in VARIETIES.items():
        for kind in _kinds(options):
            yield _layout(variety, kind)


def _kinds(options: dict[str, Any]) -> Iterator[Tiff]:
    """Give every combination of photometric, bits, extra samples and sample format."""
    for (photometric, depths), extra in product(DEPTHS.items(), ALPHAS):
        for bits in depths:
            has_predictor = not options.get("predictor") or bits in WITH_PREDICTOR
            if has_predictor and not (extra and photometric in WITHOUT_EXTRA):
                yield Tiff(photometric=photometric, bits=bits, extra=extra, **options)
    if not options.get("predictor"):
        for bits, photometric in product((16, 32, 64), (0, 1, 2)):
            yield Tiff(photometric=photometric, bits=bits, sample_format=tiff.FLOAT, **options)
        for bits in (8, 16, 32):
            yield Tiff(bits=bits, sample_format=tiff.SIGNED, **options)


def _with_alpha(kind: Tiff, colours: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the samples to store and the alpha [H, W, 1] from 0 to 1."""
    opaque = np.ones((HEIGHT, WIDTH, 1))
    if not kind.extra:
        return colours, opaque
    alpha = ramp(5, kind.bits)[..., 4:]
    alpha[2] = 0
    if kind.extra == (tiff.ASSOCIATED,):
        multiplied = (colours * alpha.astype(np.float64) / kind.top).round().astype(np.uint64)
        colours = np.minimum(multiplied, alpha)
    samples = np.concatenate([colours, alpha], 2)
    return samples, opaque if kind.extra == (tiff.UNSPECIFIED,) else alpha / kind.top


def _layout(variety: str, kind: Tiff) -> Layout:
    model, showing = MODELS[kind.photometric], SHOWING[kind.photometric]
    if kind.sample_format == tiff.UNSIGNED:
        kind, samples, colours = showing(kind)
    else:
        model += ", float" if kind.sample_format == tiff.FLOAT else ", signed"
        samples, colours = _without_range(kind), None
    tolerance, why = _tolerance(kind)
    return Layout(
        format="TIFF",
        model=model,
        depth=str(kind.bits),
        upload=kind.write(samples),
        colours=None if colours is None else reference.levels(colours),
        polarity="white" if kind.photometric == tiff.WHITE_IS_ZERO else "black",
        alpha=ALPHAS[kind.extra],
        variety=variety,
        tolerance=tolerance,
        why=why,
    )


def _tolerance(kind: Tiff) -> tuple[int, str]:
    if kind.photometric in (tiff.YCBCR, tiff.CIELAB):
        return 2, "libtiff computes in whole numbers"
    if kind.bits == 16 and kind.photometric == tiff.CMYK:
        return 2, "Pillow takes the upper byte, of the colour and of black"
    if kind.bits == 16 and kind.extra:
        return 3, "Pillow takes the upper byte, of colour and alpha, and divides one by the other"
    if kind.bits == 16 or kind.extra or kind.photometric == tiff.CMYK:
        return 1, "rounding, once more than the reference"
    return 0, ""


def _without_range(kind: Tiff) -> NDArray[Any]:
    """Return samples whose white can be any number."""
    if kind.sample_format == tiff.FLOAT:
        return ramp(3 if kind.photometric == tiff.RGB else 1, 8) / 255
    return ramp(1, kind.bits).astype(np.int64) - 2 ** (kind.bits - 1)


def _grey(kind: Tiff) -> Shown:
    samples, alpha = _with_alpha(kind, ramp(1, kind.bits))
    value, white = samples[..., :1] / kind.top, kind.photometric == tiff.WHITE_IS_ZERO
    if kind.extra == (tiff.ASSOCIATED,):
        # What is multiplied with alpha where zero is white, nobody has written down.
        return kind, samples, None if white else (value + 1 - alpha).repeat(3, 2)
    return kind, samples, reference.on_white(1 - value if white else value, alpha).repeat(3, 2)


def _rgb(kind: Tiff) -> Shown:
    samples, alpha = _with_alpha(kind, ramp(3, kind.bits))
    value = samples[..., :3] / kind.top
    if kind.extra == (tiff.ASSOCIATED,):
        return kind, samples, value + 1 - alpha
    return kind, samples, reference.on_white(value, alpha)


def _cmyk(kind: Tiff) -> Shown:
    samples, alpha = _with_alpha(kind, ramp(4, kind.bits))
    colours = reference.on_white(reference.cmyk(samples[..., :4] / kind.top), alpha)
    return kind, samples, None if kind.extra == (tiff.ASSOCIATED,) else colours


def _palette(kind: Tiff) -> Shown:
    random = np.random.default_rng(1)
    table = random.integers(0, 255, (3, 2**kind.bits), np.uint64, endpoint=True) * 257
    kind = replace(kind, colormap=tuple(table.reshape(-1).tolist()))
    samples, alpha = _with_alpha(kind, ramp(1, kind.bits))
    colours = reference.on_white(table.T[samples[..., 0]] / 65535, alpha)
    return kind, samples, None if kind.extra == (tiff.ASSOCIATED,) else colours


def _ycbcr(kind: Tiff) -> Shown:
    kind = replace(kind, tags=((YCBCR_SUBSAMPLING, tiff.SHORT, (1, 1)),))
    samples = np.rint(reference.to_ycbcr(ramp(3, 8) / 255) * kind.top).astype(np.uint64)
    return kind, samples, reference.ycbcr(samples / kind.top)


def _lab(kind: Tiff) -> Shown:
    lightness, unit = ramp(1, kind.bits), 2 ** (kind.bits - 8)
    ab = np.rint((ramp(2, 8) / 255 * 40 - 20) * unit).astype(np.int64)
    colours = reference.lab(
        lightness[..., 0] / kind.top * 100, ab[..., 0] / unit, ab[..., 1] / unit
    )
    is_signed = kind.photometric == tiff.CIELAB
    stored = ab % (kind.top + 1) if is_signed else ab + 2 ** (kind.bits - 1)
    return kind, np.concatenate([lightness, stored.astype(np.uint64)], 2), colours


SHOWING: dict[int, Callable[[Tiff], Shown]] = {
    tiff.WHITE_IS_ZERO: _grey,
    tiff.BLACK_IS_ZERO: _grey,
    tiff.RGB: _rgb,
    tiff.PALETTE: _palette,
    tiff.CMYK: _cmyk,
    tiff.YCBCR: _ycbcr,
    tiff.CIELAB: _lab,
    tiff.ICCLAB: _lab,
}
