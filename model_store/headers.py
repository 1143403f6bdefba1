"""What the header of an upload says, without decoding a pixel.

The API refuses on it before anything is stored, and the worker checks it again before it decodes.
"""

import io
import struct
import warnings
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from model_store.errors import (
    ImageError,
    NotAnImageError,
    TooManyPixelsError,
    TruncatedImageError,
)

ACCEPTED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
DEFAULT_MAX_PIXELS = 40_000_000

# What Pillow's plugins raise on broken bytes; the list is from cutting and flipping every format.
BROKEN_BYTES = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    EOFError,
    RuntimeError,
    struct.error,
)

# Pillow warns or raises at a limit of its own, once for the whole process. Ours is an argument and
# is checked below, before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

# Pillow warns about broken metadata, which it then leaves out; clients must not fill the log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True)
class ImageHeader:
    """Format and stored size in pixels; an EXIF rotation is not applied."""

    format: str
    width: int
    height: int


def read_header(upload: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> ImageHeader:
    """Return what the header of an upload says.

    Raises:
        NotAnImageError: the bytes are no picture in an accepted format.
        TruncatedImageError: a WebP or AVIF that is cut off, which their headers already show.
        TooManyPixelsError: width times height is over `max_pixels`.
    """
    with open_image(upload, max_pixels) as image:
        return ImageHeader(_format(image), image.width, image.height)


def open_image(upload: bytes, max_pixels: int) -> Image.Image:
    """Return the upload as a Pillow image whose pixels are not decoded yet.

    Raises:
        NotAnImageError: the bytes are no picture in an accepted format.
        TruncatedImageError: a WebP or AVIF that is cut off, which their headers already show.
        TooManyPixelsError: width times height is over `max_pixels`.
    """
    try:
        image = Image.open(io.BytesIO(upload), formats=ACCEPTED_FORMATS)
    except (UnidentifiedImageError, *BROKEN_BYTES) as exc:
        raise _refusal(upload) from exc
    if image.width * image.height > max_pixels:
        raise TooManyPixelsError(
            f"the picture has {image.width} x {image.height} pixels; the limit is {max_pixels} "
            "in all; send a smaller one"
        )
    return image


def _refusal(upload: bytes) -> ImageError:
    # These two decoders want the whole upload before they tell the size.
    if upload[8:12] == b"WEBP" or upload[4:12] in {b"ftypavif", b"ftypavis"}:
        return TruncatedImageError(f"the picture of {len(upload)} bytes is cut off or damaged")
    accepted = ", ".join(ACCEPTED_FORMATS)
    return NotAnImageError(
        f"the upload of {len(upload)} bytes is not a picture; accepted are {accepted}"
    )


def _format(image: Image.Image) -> str:
    # Cameras write JPEG files with a second picture inside, which Pillow calls MPO.
    return "JPEG" if image.format == "MPO" else str(image.format)
