"""High dynamic range: pictures whose numbers mean light of up to 10,000 candela a square metre.

Shown as if they were sRGB they are grey and dull, and there is no one way to squeeze them into it.
A picture with a gain map is none of these: it is a usual one, with more light described beside it.
"""

from model_store.errors import UnsupportedImageFormatError
from model_store.pictures import numbers

# Perceptual quantizer, and hybrid log-gamma. Source: ITU-T H.273, table 3.
_TRANSFERS = {16: "PQ", 18: "HLG"}


def check(upload: bytes, format: str, *, has_profile: bool) -> None:
    """Refuse a picture of high dynamic range.

    Raises:
        UnsupportedImageFormatError: its numbers are those of PQ or HLG.
    """
    transfers = set() if has_profile else {of for _, of in numbers.named(upload, format)}
    if transfers and transfers <= _TRANSFERS.keys():
        names = " and ".join(sorted(_TRANSFERS[transfer] for transfer in transfers))
        raise UnsupportedImageFormatError(
            f"the picture is of high dynamic range ({names}); save it with standard range (SDR)"
        )
