"""What the header of an upload says, without decoding a pixel.

The API refuses on it before anything is stored, and the worker checks it again before it decodes.
"""

import io
import logging
import struct
import warnings
from dataclasses import dataclass

from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from model_store.errors import (
    ImageError,
    NotAnImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageFormatError,
)
from model_store.pictures import bmp, bounds, hdr, heif, jpeg, npy, png, signatures, tiff

ACCEPTED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
DEFAULT_MAX_PIXELS = 40_000_000

# What Pillow's plugins raise on broken bytes; the list is from cutting and flipping every format.
BROKEN_BYTES = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    EOFError,
    RuntimeError,
    struct.error,
)

# Pillow warns at a limit that is one for the whole process, and raises at twice as much. Ours is an
# argument and is checked below; Pillow's stays for what it makes room for before it tells the size,
# such as the frame of a GIF: 43 bytes took 4 GiB.
Image.MAX_IMAGE_PIXELS = DEFAULT_MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
TOO_MANY_PIXELS = (Image.DecompressionBombError, Image.DecompressionBombWarning)

# Pillow warns about broken metadata, which it then leaves out; clients must not fill the log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

logging.getLogger("PIL").setLevel(logging.CRITICAL)

# As many processes decode as there are cores, so one thread each.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# The names that Pillow and pi-heif have for what everybody else calls otherwise: cameras write JPEG
# files with a second picture inside, which Pillow calls MPO.
_PROFILES = (b"colrprof", b"colrrICC")
_NAMES = {"MPO": "JPEG", "HEIF": "HEIC"}


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
    if heif.is_heif(upload):
        return _heic_header(upload, max_pixels)
    if array := npy.read_header(upload, max_pixels):
        return ImageHeader("NPY", array.width, array.height)
    with open_image(upload, max_pixels) as image:
        return ImageHeader(format_of(image), image.width, image.height)


def _heic_header(upload: bytes, max_pixels: int) -> ImageHeader:
    """Return the header of a HEIC, and leave the C code that decodes it to the workers."""
    _check_unopened(upload, max_pixels)
    size = heif.size_of(upload)
    hdr.check(upload, "HEIC", has_profile=any(mark in upload for mark in _PROFILES))
    return ImageHeader("HEIC", *size.shown)


def open_image(upload: bytes, max_pixels: int) -> Image.Image:
    """Return the upload as a Pillow image whose pixels are not decoded yet.

    Raises:
        NotAnImageError: the bytes are no picture in an accepted format; says what they are.
        UnsupportedImageFormatError: a picture whose pixels have no fixed 8-bit meaning.
        TruncatedImageError: a picture that is cut off, as far as its header shows.
        TooManyPixelsError: width times height is over `max_pixels`.
    """
    _check_unopened(upload, max_pixels)
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, max_pixels)
    try:
        image = Image.open(io.BytesIO(bmp.mended(upload)), formats=_decoders())
    except (UnidentifiedImageError, *BROKEN_BYTES) as exc:
        raise _refusal(upload) from exc
    except TOO_MANY_PIXELS as exc:
        raise TooManyPixelsError(
            f"the picture, or a part of it, has more than {Image.MAX_IMAGE_PIXELS} pixels, the"
            " limit; send a smaller one"
        ) from exc
    _check_pixels(image.width, image.height, max_pixels)
    try:
        _check(image, upload)
    except BROKEN_BYTES as exc:
        raise _refusal(upload) from exc
    return image


def format_of(image: Image.Image) -> str:
    """Return the format's usual name, one of `ACCEPTED_FORMATS`."""
    return _NAMES.get(str(image.format), str(image.format))


def _check_unopened(upload: bytes, max_pixels: int) -> None:
    """Check what no decoder should see, and the size of a HEIC, which pi-heif tells too late."""
    bounds.check(upload)
    bmp.check(upload)
    tiff.check_unopened(upload)
    if upload.startswith(jpeg.MARK):
        jpeg.check(upload)
    if heif.is_heif(upload):
        if not heif.is_installed():
            raise UnsupportedImageFormatError(heif.MISSING)
        _check_pixels(*heif.size_of(upload).coded, max_pixels)


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"the picture has {width} x {height} pixels; the limit is {max_pixels} in all; "
            "send a smaller one"
        )


def _decoders() -> tuple[str, ...]:
    return (*ACCEPTED_FORMATS[:-1], *(("HEIF",) if heif.is_installed() else ()))


def _check(image: Image.Image, upload: bytes) -> None:
    if image.format == "TIFF":
        tiff.check(image, upload)
    hdr.check(upload, format_of(image), has_profile="icc_profile" in image.info)


def _refusal(upload: bytes) -> ImageError:
    """Return the error that says why no decoder took an upload."""
    if upload.startswith(tiff.MARKS):
        return tiff.refusal(upload)
    if bmp.is_bmp(upload):
        return bmp.refusal(upload)
    if upload.startswith(jpeg.MARK):
        return jpeg.refusal(upload)
    if _begins_as_picture(upload):
        return TruncatedImageError(f"the picture of {len(upload)} bytes is cut off or damaged")
    return NotAnImageError(_what_else(upload))


def _begins_as_picture(upload: bytes) -> bool:
    return (
        upload.startswith((png.MARK, b"GIF87a", b"GIF89a"))
        or upload[8:12] == b"WEBP"
        or upload[4:12] in {b"ftypavif", b"ftypavis"}
        or heif.is_heif(upload)
    )


def _what_else(upload: bytes) -> str:
    accepted = "accepted are " + ", ".join(ACCEPTED_FORMATS)
    found = signatures.recognised(upload)
    if found is None:
        return f"the upload of {len(upload)} bytes is not a picture; {accepted}"
    name, advice = found
    return f"the upload of {len(upload)} bytes is {name}; {accepted}; {advice}"
