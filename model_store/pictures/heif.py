"""HEIC, which phones write: read by pi-heif where the set-up has installed it.

pi-heif is pillow-heif without its encoder, whose licence (GPL) would bind whoever passes an image
of this service on.
"""

from functools import cache

BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)

MISSING = "this service was installed without HEIC (the extra `heic`); send the picture as JPEG"


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
