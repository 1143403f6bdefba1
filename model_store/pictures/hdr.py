"""High dynamic range: pictures whose numbers mean light of up to 10,000 candela a square metre.

Shown as if they were sRGB they are grey and dull, and there is no one way to squeeze them into it.
A picture with a gain map is none of these: it is a usual one, with more light described beside it.
"""

import struct
from collections.abc import Iterator

from model_store.errors import UnsupportedImageFormatError
from model_store.pictures import png

# Perceptual quantizer, and hybrid log-gamma. Source: ITU-T H.273, table 3.
_TRANSFERS = {16: "PQ", 18: "HLG"}
_NAMED = ("AVIF", "HEIC")


def check(upload: bytes, format: str, *, has_profile: bool) -> None:
    """Refuse a picture of high dynamic range.

    Raises:
        UnsupportedImageFormatError: its numbers are those of PQ or HLG.
    """
    transfers = _transfers(upload, format, has_profile=has_profile)
    if transfers and transfers <= _TRANSFERS.keys():
        names = " and ".join(sorted(_TRANSFERS[transfer] for transfer in transfers))
        raise UnsupportedImageFormatError(
            f"the picture is of high dynamic range ({names}); save it with standard range (SDR)"
        )


def _transfers(upload: bytes, format: str, *, has_profile: bool) -> set[int]:
    """Return the transfer characteristics that are named; none where an ICC profile says it."""
    if format == "PNG":
        return {body[1] for name, body in png.chunks(upload) if name == b"cICP" and len(body) > 1}
    return set(_boxes(upload)) if format in _NAMED and not has_profile else set()


def _boxes(upload: bytes) -> Iterator[int]:
    """Give the transfer of each colour box; pictures beside the main one may have their own."""
    place = upload.find(b"colrnclx")
    while place >= 0 and place + 12 <= len(upload):
        yield struct.unpack_from(">H", upload, place + 10)[0]
        place = upload.find(b"colrnclx", place + 8)
