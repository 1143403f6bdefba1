"""AVIF, and other pictures in ISO boxes: grids, items and boxes without end."""

import struct

import pillow_heif
from PIL import Image

from chaos.hostile.cases import MOST_BYTES, SIDE, Case, filled, saved

_HEADER = 8


def box(name: bytes, body: bytes = b"") -> bytes:
    """Return one box with its length."""
    return struct.pack(">I", len(body) + _HEADER) + name + body


def full(name: bytes, body: bytes = b"", *, version: int = 0, flags: int = 0) -> bytes:
    """Return one box that has a version and flags."""
    return box(name, struct.pack(">I", version << 24 | flags) + body)


TYPE = box(b"ftyp", b"avif\0\0\0\0avifmif1miaf")
HEIC_TYPE = box(b"ftyp", b"heic\0\0\0\0mif1heic")
_HANDLER = full(b"hdlr", bytes(4) + b"pict" + bytes(13))
_PRIMARY = full(b"pitm", struct.pack(">H", 1))


def _item(number: int, kind: bytes) -> bytes:
    return full(b"infe", struct.pack(">HH", number, 0) + kind + b"\0", version=2)


def _items(*items: bytes) -> bytes:
    return full(b"iinf", struct.pack(">H", len(items)) + b"".join(items))


def _size(width: int, height: int) -> bytes:
    return full(b"ispe", struct.pack(">II", width, height))


def _locations(*places: tuple[int, int, int]) -> bytes:
    """Return where items lie in the file: number, offset, length."""
    rows = b"".join(struct.pack(">HHHII", n, 0, 1, at, length) for n, at, length in places)
    return full(b"iloc", struct.pack(">HH", 0x4400, len(places)) + rows)


def _grid(columns: int, rows: int, width: int, height: int, *, shared: bool) -> bytes:
    """Return a grid whose cells all are the same AV1 data, of one item or of an item each."""
    cell = saved(Image.new("RGB", (64, 64), "red"), "AVIF", speed=10)
    coded = cell[cell.index(b"mdat") + 4 :]
    codec = cell[cell.index(b"av1C") - 4 :][
        : struct.unpack(">I", cell[cell.index(b"av1C") - 4 :][:4])[0]
    ]
    count = columns * rows
    numbers = [2] * count if shared else [2 + n for n in range(count)]
    layout = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    channels = full(b"pixi", bytes((3, 8, 8, 8)))
    properties = box(b"ipco", _size(width, height) + _size(64, 64) + codec + channels)
    rows_of = [struct.pack(">HBBB", 1, 2, 1, 4)]
    rows_of += [struct.pack(">HBBBB", n, 3, 2, 0x80 | 3, 4) for n in sorted(set(numbers))]
    associated = full(b"ipma", struct.pack(">I", len(rows_of)) + b"".join(rows_of))
    parts = struct.pack(">HH", 1, count) + b"".join(struct.pack(">H", n) for n in numbers)
    references = full(b"iref", box(b"dimg", parts))
    items = _items(_item(1, b"grid"), *[_item(n, b"av01") for n in sorted(set(numbers))])

    def meta(start: int) -> bytes:
        places = [(1, start, len(layout))]
        places += [(n, start + len(layout), len(coded)) for n in sorted(set(numbers))]
        inside = _HANDLER + _PRIMARY + _locations(*places) + items + references
        return full(b"meta", inside + box(b"iprp", properties + associated))

    start = len(TYPE) + len(meta(0)) + _HEADER
    return TYPE + meta(start) + box(b"mdat", layout + coded)


def _meta(*boxes: bytes) -> bytes:
    return TYPE + full(b"meta", _HANDLER + _PRIMARY + b"".join(boxes))


def _many_locations() -> bytes:
    count = (MOST_BYTES - 200) // 10
    rows = b"".join(struct.pack(">IHHH", n + 1, 0, 0, 0) for n in range(count))
    return _meta(full(b"iloc", struct.pack(">HI", 0, count) + rows, version=2))


def _many_extents() -> bytes:
    count = 65535
    row = struct.pack(">HHH", 1, 0, count) + bytes(8) * count
    return _meta(full(b"iloc", struct.pack(">HH", 0x4400, 1) + row))


def _many_items() -> bytes:
    items = [_item(n + 1, b"av01") for n in range(65535)]
    return _meta(_items(*items))


def _many_references() -> bytes:
    parts = box(b"dimg", struct.pack(">HH", 1, 65535) + struct.pack(">65535H", *range(1, 65536)))
    return _meta(full(b"iref", parts * (MOST_BYTES // len(parts) - 1)))


def _many_properties() -> bytes:
    return _meta(box(b"iprp", box(b"ipco", _size(9, 9) * (MOST_BYTES // 20 - 20))))


def _resized(width: int, height: int) -> bytes:
    honest = saved(Image.new("RGB", (64, 64), "red"), "AVIF", speed=10)
    return honest.replace(struct.pack(">II", 64, 64), struct.pack(">II", width, height))


def _claimed(side: int) -> bytes:
    pillow_heif.register_heif_opener()
    honest = saved(Image.new("RGB", (64, 64), "red"), "HEIF")
    return honest.replace(struct.pack(">II", 64, 64), struct.pack(">II", side, side))


def _unnamed_item() -> bytes:
    """Return a HEIC whose metadata have a type that is no text: pi-heif made NULL of it."""
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 1
    honest = saved(Image.new("RGB", (64, 64), "red"), "HEIF", exif=exif.tobytes())
    return honest.replace(b"Exif", b"Ex\xfff", 1)


def _flat(**options: object) -> bytes:
    mode = "RGBA" if options.pop("alpha", False) else "RGB"
    colour = (9, 8, 7, 6)[: len(mode)]
    return saved(Image.new(mode, (SIDE, SIDE), colour), "AVIF", speed=10, **options)


def _heic(avif: bytes) -> bytes:
    """Return the same boxes under the brand of HEIC."""
    return avif.replace(TYPE, HEIC_TYPE, 1)


BOMBS = (
    Case("HEIC an item whose type is no text", _unnamed_item),
    Case("HEIC a million places of items", lambda: _heic(_many_locations())),
    Case("HEIC 65,535 pieces of one item", lambda: _heic(_many_extents())),
    Case("HEIC 65,535 items", lambda: _heic(_many_items())),
    Case("HEIC five million references", lambda: _heic(_many_references())),
    Case("HEIC 500,000 properties", lambda: _heic(_many_properties())),
    Case("HEIC a grid of 255 x 255", lambda: _heic(_grid(255, 255, 16320, 16320, shared=True))),
    Case("HEIC a grid of 98 x 98", lambda: _heic(_grid(98, 98, 6272, 6272, shared=True))),
    Case("HEIC that claims 65535 x 65535", lambda: _claimed(65535)),
    Case("HEIC that claims 6324 x 6324", lambda: _claimed(SIDE)),
    Case("AVIF that claims 65535 x 65535", lambda: _resized(65535, 65535)),
    Case("AVIF that claims 16384 x 16384", lambda: _resized(16384, 16384)),
    Case("AVIF that claims 6324 x 6324", lambda: _resized(SIDE, SIDE)),
    Case(
        "AVIF a grid of 255 x 255 times one item",
        lambda: _grid(255, 255, 16320, 16320, shared=True),
    ),
    Case("AVIF a grid of 98 x 98 times one item", lambda: _grid(98, 98, 6272, 6272, shared=True)),
    Case(
        "AVIF a grid of 98 x 98 items in one place", lambda: _grid(98, 98, 6272, 6272, shared=False)
    ),
    Case("AVIF a grid of 4 x 4 items in one place", lambda: _grid(4, 4, 256, 256, shared=False)),
    Case("AVIF a million places of items", _many_locations),
    Case("AVIF 65,535 pieces of one item", _many_extents),
    Case("AVIF 65,535 items", _many_items),
    Case("AVIF five million references", _many_references),
    Case("AVIF 500,000 properties", _many_properties),
    Case("AVIF boxes without end", lambda: filled(TYPE, box(b"free"))),
    Case(
        "AVIF boxes without end inside meta", lambda: _meta(box(b"free") * (MOST_BYTES // 8 - 20))
    ),
    Case("AVIF 40 megapixels", _flat),
    Case("AVIF 40 megapixels with alpha", lambda: _flat(alpha=True)),
)
