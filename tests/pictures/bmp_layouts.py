"""BMP: palettes, masks, run lengths, and alpha that is none."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.pictures import bmp, reference
from tests.pictures.bmp import Bmp
from tests.pictures.layouts import HEIGHT, WIDTH, Layout, ramp

HEADERS = {bmp.CORE: "OS/2", bmp.INFO: "plain", bmp.V4: "V4", bmp.V5: "V5"}
MASKS = {
    "5-5-5": (16, (0x7C00, 0x3E0, 0x1F, 0)),
    "5-6-5": (16, (0xF800, 0x7E0, 0x1F, 0)),
    "4-4-4-4": (16, (0xF00, 0xF0, 0xF, 0xF000)),
    "1-5-5-5": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    "8-8-8": (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    "8-8-8 RGBX": (32, (0xFF, 0xFF00, 0xFF0000, 0)),
    "8-8-8-8": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "8-8-8-8 RGBA": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "10-10-10": (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
}


def all_layouts() -> Iterator[Layout]:
    """Give every layout that is tried."""
    for header, top_down in product(HEADERS, (False, True)):
        if header != bmp.CORE or not top_down:
            yield from _of_header(header, top_down=top_down)
    for compression, bits, used in ((bmp.RLE8, 8, 256), (bmp.RLE8, 8, 2), (bmp.RLE4, 4, 16)):
        for is_grey in (False, True):
            yield _palette(bits, used, is_grey=is_grey, compression=compression)


def _of_header(header: int, *, top_down: bool) -> Iterator[Layout]:
    rows: dict[str, Any] = {"header": header, "top_down": top_down}
    for bits, is_grey in product((1, 2, 4, 8), (False, True)):
        for used in sorted({2**bits, 2, max(2, 2**bits - 3)}):
            yield _palette(bits, used, is_grey=is_grey, **rows)
    for bits in (16, 24, 32):
        yield _direct(bits, **rows)
    for depth, (_, masks) in MASKS.items():
        # The oldest header has no masks, the next one none for alpha.
        if header > bmp.INFO or (header == bmp.INFO and not masks[3]):
            yield _masked(depth, is_filled=True, **rows)
            if masks[3]:
                yield _masked(depth, is_filled=False, **rows)


def _layout(
    model: str, depth: str, upload: bytes, colours: NDArray[np.uint8], **more: Any
) -> Layout:
    return Layout(format="BMP", model=model, depth=depth, upload=upload, colours=colours, **more)


def _variety(header: int, *, top_down: bool, compression: int = bmp.RAW) -> str:
    if compression != bmp.RAW:
        return "run lengths"
    return HEADERS[header] + (", top-down" if top_down else "")


def _palette(
    bits: int,
    used: int,
    *,
    is_grey: bool,
    header: int = bmp.INFO,
    top_down: bool = False,
    compression: int = bmp.RAW,
) -> Layout:
    stored = ramp(1, bits)[..., 0] % used
    palette = _greys(used) if is_grey else _colours(bits, used)
    table = [tuple(map(int, colour)) for colour in palette]
    if header == bmp.CORE:
        table += [(0, 0, 0)] * (2**bits - used)
    upload = Bmp(bits, tuple(table), None, header, top_down, compression).write(stored)
    variety = _variety(header, top_down=top_down, compression=compression)
    variety += f", {used} {'greys' if is_grey else 'colours'}"
    is_dropped = is_grey and not (bits == 1 or used == 256)
    why = "a level of blue keeps Pillow from dropping a palette of greys" if is_dropped else ""
    return _layout(
        "palette",
        str(bits),
        upload,
        palette[stored],
        variety=variety,
        tolerance=int(is_dropped),
        why=why,
    )


def _greys(used: int) -> NDArray[np.uint8]:
    """Return the palettes that Pillow takes for none: black and white, or a ramp from black."""
    levels = np.array([0, 255] if used == 2 else range(used), np.uint8)
    return levels[:, None].repeat(3, 1)


def _colours(bits: int, used: int) -> NDArray[np.uint8]:
    return np.random.default_rng(bits + used).integers(0, 256, (used, 3), np.uint8)


def _direct(bits: int, *, header: int, top_down: bool) -> Layout:
    channel_bits = 5 if bits == 16 else 8
    samples = ramp(4, channel_bits)
    stored = sum(samples[..., i] << np.uint64((2 - i) * channel_bits) for i in range(3))
    if bits == 32:
        stored |= samples[..., 3] << np.uint64(24)
    upload = Bmp(bits, header=header, top_down=top_down).write(stored)
    colours = reference.levels(samples[..., :3] / (2**channel_bits - 1))
    return _layout(
        "RGB",
        str(bits),
        upload,
        colours,
        variety=_variety(header, top_down=top_down),
        alpha="unused byte" if bits == 32 else "none",
        tolerance=int(bits == 16),
        why="five bits are made eight by repeating them" if bits == 16 else "",
    )


def _masked(depth: str, *, is_filled: bool, header: int, top_down: bool) -> Layout:
    bits, masks = MASKS[depth]
    stored, values = np.zeros((HEIGHT, WIDTH), np.uint64), []
    for i, mask in enumerate(masks):
        top = mask >> (mask & -mask).bit_length() - 1 if mask else 1
        samples = ramp(4, top.bit_length())[..., i] * np.uint64(i < 3 or is_filled)
        stored |= samples * np.uint64(mask // top)
        values.append(samples / top)
    opacity = values[3][..., None] if masks[3] and is_filled else np.ones((HEIGHT, WIDTH, 1))
    colours = reference.levels(reference.on_white(np.stack(values[:3], 2), opacity))
    return _layout(
        "RGB, masks",
        depth,
        Bmp(bits, masks=masks, header=header, top_down=top_down).write(stored),
        colours,
        variety=_variety(header, top_down=top_down),
        alpha="none" if not masks[3] else "straight" if is_filled else "all zero",
        tolerance=1,
        why="rounding, once more than the reference",
    )
