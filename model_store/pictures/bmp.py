"""BMP: what Pillow takes for something else, and what it cannot read, in words.

Source: Microsoft's BITMAPCOREHEADER, BITMAPINFOHEADER and BITMAPV4HEADER.
"""

import struct

from model_store.errors import ImageError, TruncatedImageError, UnsupportedImageFormatError

MARK = b"BM"
CORE, INFO, WITH_ALPHA_MASK = 12, 40, 56
HEADERS = frozenset({CORE, INFO, 52, WITH_ALPHA_MASK, 64, 108, 124})
BITFIELDS = 3
_RUN_LENGTHS = (1, 2)
_HEADER_BYTES = 70
_PACKED = {4: "a JPEG inside", 5: "a PNG inside"}
_SAVE = "save it with 24 bits a pixel, or as PNG"


def is_bmp(upload: bytes) -> bool:
    """Say whether the first bytes are those of a bitmap with a header that is known."""
    return upload[:2] == MARK and _header_bytes(upload) in HEADERS


def mended(upload: bytes) -> bytes:
    """Return a bitmap that Pillow reads with the right depth; anything else as it is.

    A palette that is a ramp of greys is dropped by Pillow, which then takes pixels of 4 or 8 bits
    for such of 1 or 8. One level more of blue in the first colour keeps it a palette.
    """
    if not is_bmp(upload) or _bits(upload) not in (4, 8) or not _is_dropped(upload):
        return upload
    start = 14 + _header_bytes(upload)
    return upload[:start] + bytes((upload[start] ^ 1,)) + upload[start + 1 :]


def _is_dropped(upload: bytes) -> bool:
    """Say whether Pillow drops the palette and takes pixels of another depth for it."""
    colours, start = _colours(upload), 14 + _header_bytes(upload)
    entry_bytes = 3 if _header_bytes(upload) == CORE else 4
    if colours == 256 and _bits(upload) == 8:  # noqa: PLR2004 - a ramp for each number of a byte
        return False
    levels = (0, 255) if colours == 2 else range(min(colours, 256))  # noqa: PLR2004
    return all(
        upload[start + i * entry_bytes : start + i * entry_bytes + 3] == bytes((level,) * 3)
        for i, level in enumerate(levels)
    )


def check(upload: bytes) -> None:
    """Refuse what Pillow opens and shows wrong.

    Raises:
        UnsupportedImageFormatError: 16 bits with alpha, which Pillow does not look at.
    """
    if is_bmp(upload) and _bits(upload) == 16 and _masks(upload)[3]:  # noqa: PLR2004
        raise _unsupported(upload)


def is_run_length(upload: bytes) -> bool:
    """Say whether the pixels are stored as runs of the same colour."""
    return is_bmp(upload) and _compression(upload) in _RUN_LENGTHS


def pixels(upload: bytes) -> int:
    """Return width times height of a bitmap whose header is not that of OS/2."""
    return abs(_number(upload, 18, "<i") * _number(upload, 22, "<i"))


def refusal(upload: bytes) -> ImageError:
    """Return the error that says why Pillow does not open a bitmap."""
    if len(upload) < _HEADER_BYTES:
        return TruncatedImageError(f"the BMP of {len(upload)} bytes is cut off or damaged")
    return _unsupported(upload)


def _unsupported(upload: bytes) -> UnsupportedImageFormatError:
    kind = _PACKED.get(_compression(upload), f"pixels of {_bits(upload)} bits")
    if any(_masks(upload)):
        kind += " and the masks " + ", ".join(f"{mask:#x}" for mask in _masks(upload))
    return UnsupportedImageFormatError(f"the BMP has {kind}; {_SAVE}")


def _header_bytes(upload: bytes) -> int:
    return _number(upload, 14, "<I")


def _bits(upload: bytes) -> int:
    return _number(upload, 24 if _header_bytes(upload) == CORE else 28, "<H")


def _compression(upload: bytes) -> int:
    return 0 if _header_bytes(upload) == CORE else _number(upload, 30, "<I")


def _colours(upload: bytes) -> int:
    stated = 0 if _header_bytes(upload) == CORE else _number(upload, 46, "<I")
    return stated or 1 << _bits(upload)


def _masks(upload: bytes) -> tuple[int, ...]:
    """Return the bits of red, green, blue and alpha; zeros where the header has no masks."""
    if _compression(upload) != BITFIELDS or len(upload) < _HEADER_BYTES:
        return (0, 0, 0, 0)
    has_alpha = _header_bytes(upload) >= WITH_ALPHA_MASK
    return tuple(_number(upload, 54 + 4 * i, "<I") for i in range(4 if has_alpha else 3)) + (
        () if has_alpha else (0,)
    )


def _number(upload: bytes, place: int, kind: str) -> int:
    if len(upload) < place + struct.calcsize(kind):
        return 0
    return int(struct.unpack_from(kind, upload, place)[0])
