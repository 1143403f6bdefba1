"""From an upload's bytes to an upright 8-bit sRGB picture; whatever looks at one does it so."""

from dataclasses import dataclass

from PIL import Image

from model_store.errors import TooManyPixelsError, TruncatedImageError
from model_store.pictures import colour, depth, jpeg, npy, orientation, transparency
from model_store.pictures.headers import (
    BROKEN_BYTES,
    DEFAULT_MAX_PIXELS,
    TOO_MANY_PIXELS,
    format_of,
    open_image,
)

# Counts up when the same upload gives other pixels than before, or is refused where it was not;
# whoever keeps what was made of pixels keeps it under this number.
VERSION = 2

# A JPEG may be decoded at 1/2, 1/4 or 1/8 while it stays this many times larger than needed; the
# resize then still averages over real pixels (64 megapixels: 1.02 s -> 0.07 s).
DRAFT_MARGIN = 2


@dataclass(frozen=True)
class Decoded:
    """An upright 8-bit sRGB picture, and what a client should know about it."""

    image: Image.Image
    warnings: tuple[str, ...] = ()


def decode(
    upload: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, shorter_side: int | None = None
) -> Image.Image:
    """Return the first frame of an upload as an upright 8-bit sRGB image.

    EXIF orientation and colour profile are applied, transparency is laid on white, deep grey is
    scaled (not clipped) to 8 bits. With `shorter_side`, a large JPEG may be decoded smaller, but
    never under `DRAFT_MARGIN` times that many pixels.

    Raises:
        NotAnImageError: the bytes are no picture in an accepted format.
        TooManyPixelsError: width times height is over `max_pixels`.
        TruncatedImageError: the pixels cannot be decoded to the end.
        UnsupportedImageFormatError: the pixels have no fixed 8-bit meaning.
    """
    if array := npy.read_header(upload, max_pixels):
        return npy.image(upload, array)
    image = open_image(upload, max_pixels)
    try:
        if shorter_side is not None:
            image.draft("RGB", (DRAFT_MARGIN * shorter_side,) * 2)
        image.load()
        return _rgb(
            colour.with_profile(orientation.upright(image), upload, format_of(image)), upload
        )
    except TOO_MANY_PIXELS as exc:
        raise TooManyPixelsError(f"the {format_of(image)} has a part that is too large") from exc
    except BROKEN_BYTES as exc:
        raise TruncatedImageError(
            f"the {format_of(image)} of {len(upload)} bytes is cut off or damaged: {exc}"
        ) from exc


def decode_what_is_there(
    upload: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, shorter_side: int | None = None
) -> Decoded:
    """Return the same as `decode`; of a JPEG that is cut off, the part that there is.

    Raises:
        ImageError: see `decode`; a JPEG without any pixels is cut off here too.
    """
    try:
        return Decoded(decode(upload, max_pixels=max_pixels, shorter_side=shorter_side))
    except TruncatedImageError:
        if not (upload.startswith(jpeg.MARK) and jpeg.has_pixels(upload)):
            raise
        ended = upload + jpeg.END
        image = decode(ended, max_pixels=max_pixels, shorter_side=shorter_side)
        return Decoded(image, (f"the JPEG is cut off after {len(upload)} bytes",))


def _rgb(image: Image.Image, upload: bytes) -> Image.Image:
    if image.mode == "LAB":
        return colour.from_lab(image)
    if image.has_transparency_data:
        return transparency.on_background(image, upload)
    if image.mode in depth.DEEP_MODES:
        image = depth.eight_bits(image)
    image = colour.to_srgb(image if image.mode != "P" else image.convert("RGB"))
    return image if image.mode == "RGB" else image.convert("RGB")
