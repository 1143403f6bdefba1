"""HEIC, which phones write: read by pi-heif where the set-up has installed it.

pi-heif is pillow-heif without its encoder, whose licence (GPL) would bind whoever passes an image
of this service on. Its C code is run by workers alone, whose death costs no client anything; what
the API wants to know stands in a few boxes. Source of these: ISO/IEC 23008-12, 6.5 and 9.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from model_store.errors import TruncatedImageError
from model_store.pictures.boxes import Box, boxes

BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
MISSING = "this service was installed without HEIC (the extra `heic`); send the picture as JPEG"
_FULL_BOX_BYTES = 4
_WIDE_INDEX = 1


def is_heif(upload: bytes) -> bool:
    """Say whether the first bytes name a brand of HEIF."""
    return upload[4:8] == b"ftyp" and upload[8:12] in BRANDS


@cache
def is_installed() -> bool:
    """Let Pillow read HEIC from now on; say whether it can."""
    try:
        import pi_heif  # noqa: PLC0415 - an extra that need not be there
    except ImportError:
        return False
    # One thread, as each child of a worker has one core; thumbnails and depth are not looked at.
    pi_heif.register_heif_opener(
        decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
    )
    return True


@dataclass(frozen=True)
class Size:
    """Pixels of the main picture, width and height: as it is coded, and what is shown of that.

    Neither is turned as the picture is.
    """

    coded: tuple[int, int]
    shown: tuple[int, int]


def size_of(upload: bytes) -> Size:
    """Return the size of the main picture.

    Raises:
        TruncatedImageError: the boxes do not say it.
    """
    try:
        meta = _named(upload, b"meta", 0, len(upload))
        start = meta.start + _FULL_BOX_BYTES
        item = _main_item(upload, _named(upload, b"pitm", start, meta.end))
        return _size(upload, _properties(upload, _named(upload, b"iprp", start, meta.end), item))
    except (struct.error, LookupError) as exc:
        message = f"the HEIC of {len(upload)} bytes is cut off or damaged"
        raise TruncatedImageError(message) from exc


def _named(upload: bytes, name: bytes, start: int, end: int) -> Box:
    found = [box for box in boxes(upload, start, end) if box.name == name]
    return found[0]


def _main_item(upload: bytes, box: Box) -> int:
    kind = ">I" if upload[box.start] else ">H"
    return int(struct.unpack_from(kind, upload, box.start + _FULL_BOX_BYTES)[0])


def _properties(upload: bytes, box: Box, item: int) -> dict[bytes, int]:
    """Return where the body of each property of an item begins, by name."""
    container = _named(upload, b"ipco", box.start, box.end)
    all_of_them = list(boxes(upload, container.start, container.end))
    association = _named(upload, b"ipma", box.start, box.end)
    return {
        all_of_them[index - 1].name: all_of_them[index - 1].start
        for owner, index in _associations(upload, association)
        if owner == item and index
    }


def _size(upload: bytes, properties: dict[bytes, int]) -> Size:
    coded = struct.unpack_from(">II", upload, properties[b"ispe"] + _FULL_BOX_BYTES)
    if b"clap" not in properties:
        return Size(coded, coded)
    # Four fractions, of which the first two are the width and height of what is shown.
    width, by, height, across = struct.unpack_from(">4I", upload, properties[b"clap"])
    shown = (width // (by or 1), height // (across or 1))
    if shown[0] > coded[0] or shown[1] > coded[1]:
        raise LookupError("more is shown than there is")
    return Size(coded, shown)


def _associations(upload: bytes, box: Box) -> Iterator[tuple[int, int]]:
    """Give each item with the number of a property of it, counted from one."""
    version, is_wide = upload[box.start], upload[box.start + 3] & _WIDE_INDEX
    item_kind, index_kind = (">I" if version else ">H"), (">H" if is_wide else ">B")
    (entries,) = struct.unpack_from(">I", upload, box.start + _FULL_BOX_BYTES)
    place = box.start + 2 * _FULL_BOX_BYTES
    for _ in range(entries):
        (item,) = struct.unpack_from(item_kind, upload, place)
        count = upload[place + struct.calcsize(item_kind)]
        place += struct.calcsize(item_kind) + 1
        for _ in range(count):
            (index,) = struct.unpack_from(index_kind, upload, place)
            # The highest bit says that the property has to be understood.
            yield item, index & (0x7FFF if is_wide else 0x7F)
            place += struct.calcsize(index_kind)
