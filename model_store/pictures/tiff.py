"""TIFF: which layouts are decoded, and what the others are, in words.

libtiff unpacks more than Pillow lists, so the list is longer here. What no list has is refused by
name: a layout that is unpacked under the wrong name gives a picture, but not the one in the file.
"""

import ctypes
import io
import struct
from collections.abc import Iterator
from pathlib import Path

import PIL
from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from model_store.errors import ImageError, TruncatedImageError, UnsupportedImageFormatError

_BIG_BIG_ENDIAN = b"MM\0+"
MARKS = (b"II*\0", b"MM\0*", b"II+\0", _BIG_BIG_ENDIAN)
SUBFILE, WIDTH, BITS, PHOTOMETRIC, PLANAR = 254, 256, 258, 262, 284
SUB_DIRECTORIES, EXTRA, FORMAT, CFA, DNG = 330, 338, 339, 33421, 50706
WHITE_IS_ZERO, SEPARATE, REDUCED, FILTERED, LINEAR_RAW = 0, 2, 1, 32803, 34892
CR2_MARK = slice(8, 11), b"CR\2"

_MODELS = {
    0: "grey (white is zero)",
    1: "grey",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "CMYK",
    6: "YCbCr",
    8: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    32844: "LogL",
    32845: "LogLuv",
}
_FORMATS = {1: "unsigned", 2: "signed", 3: "floating point", 5: "complex", 6: "complex"}
_EXTRAS = {0: "an extra sample", 1: "associated alpha", 2: "straight alpha"}
# Modes whose white can be any number, and those that Pillow makes of one plane, whatever there is.
_UNBOUNDED = frozenset({"I", "F"})
_ONE_PLANE = frozenset({"LA", "La", "PA", "LAB"})
_SIGNED = (2,)
_SAVE = "save it as RGB or grey with 8 bits a channel"

Layout = tuple[bytes, int, tuple[int, ...], int, tuple[int, ...], tuple[int, ...]]


def read_all_layouts() -> None:
    """Let Pillow read what libtiff can unpack, through libtiff alone.

    Pillow's own unpacker of uncompressed files takes planes, tiles and reversed bits for others.
    """
    TiffImagePlugin.READ_LIBTIFF = True
    known: dict[Layout, tuple[str, str]] = TiffImagePlugin.OPEN_INFO  # type: ignore[assignment]
    for key in [key for key in known if key[2] == _SIGNED]:
        del known[key]  # Nobody can say what is white, and bytes are taken for unsigned ones.
    known.update(_unlisted())
    known.update({(*key[:3], 2, *key[4:]): mode for key, mode in known.items() if key[3] == 1})


def _unlisted() -> Iterator[tuple[Layout, tuple[str, str]]]:
    for order, sixteen in ((b"II", "I;16"), (b"MM", "I;16B")):
        for white in (0, 1):
            yield (order, white, (1,), 1, (12,), ()), ("I;16", "I;12")
            yield (order, white, (1,), 1, (16,), ()), (sixteen, sixteen)
        yield (order, 0, (1,), 1, (8, 8), (2,)), ("LA", "LA")


def keep_quiet() -> None:
    """Keep libtiff from writing what it thinks of a file to stderr; the error says it."""
    packages = Path(PIL.__file__).parent
    for library in (
        *packages.glob(".dylibs/libtiff*"),
        *packages.parent.glob("pillow.libs/libtiff*"),
    ):
        for handler in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            getattr(ctypes.CDLL(str(library)), handler)(None)


read_all_layouts()
keep_quiet()


def check_unopened(upload: bytes) -> None:
    """Refuse what Pillow takes for a TIFF of another kind.

    Raises:
        UnsupportedImageFormatError: the file is a BigTIFF whose numbers are big-endian.
    """
    if upload.startswith(_BIG_BIG_ENDIAN):
        raise UnsupportedImageFormatError(f"the TIFF is a BigTIFF in big-endian order; {_SAVE}")


def refusal(upload: bytes) -> ImageError:
    """Return the error that says why Pillow does not open a TIFF."""
    tags = _tags(upload)
    if _is_raw(upload, tags):
        return _raw()
    if WIDTH not in tags:
        return TruncatedImageError(f"the TIFF of {len(upload)} bytes is cut off or damaged")
    return _unsupported(tags)


def check(image: Image.Image, upload: bytes) -> None:
    """Refuse what Pillow opens, and shows another picture of than the file is there for.

    Raises:
        UnsupportedImageFormatError: a camera's raw picture, whose first directory is a thumbnail;
            samples whose range is not fixed; planes that Pillow does not put together.
    """
    tags = dict(image.tag_v2)  # type: ignore[attr-defined]
    if _is_raw(upload, tags):
        raise _raw()
    if image.mode in _UNBOUNDED or (image.mode in _ONE_PLANE and tags.get(PLANAR) == SEPARATE):
        raise _unsupported(tags)


def _is_raw(upload: bytes, tags: dict[int, object]) -> bool:
    reduced = tags.get(SUBFILE) == REDUCED and SUB_DIRECTORIES in tags
    place, mark = CR2_MARK
    raw_tags = {CFA, DNG} & tags.keys() or tags.get(PHOTOMETRIC) in (FILTERED, LINEAR_RAW)
    return bool(reduced or raw_tags or upload[place] == mark)


def _raw() -> UnsupportedImageFormatError:
    return UnsupportedImageFormatError("the upload is a raw camera picture; export it as JPEG")


def _unsupported(tags: dict[int, object]) -> UnsupportedImageFormatError:
    return UnsupportedImageFormatError(f"the TIFF has {_layout(tags)}; {_SAVE}")


def grey_bits(image: Image.Image) -> int:
    """Return how many bits each sample of a grey TIFF has."""
    bits: tuple[int, ...] = image.tag_v2.get(BITS, (1,))  # type: ignore[attr-defined]
    return bits[0]


def is_white_zero(image: Image.Image) -> bool:
    """Say whether zero is white, which Pillow knows of up to 8 bits without alpha."""
    return bool(image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO)  # type: ignore[attr-defined]


def _tags(upload: bytes) -> dict[int, object]:
    """Return the tags of the first directory, as far as they can be read."""
    head = upload[:16] if upload[2:3] == b"+" else upload[:8]
    stream = io.BytesIO(upload)
    try:
        directory = ImageFileDirectory_v2(head)
        stream.seek(directory.next)
        directory.load(stream)
        return dict(directory)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error, OverflowError):
        return {}


def _layout(tags: dict[int, object]) -> str:
    """Return a layout in words, as in `grey pixels of 10 bits, deflated`."""
    photometric, bits = tags.get(PHOTOMETRIC, 0), _numbers(tags.get(BITS, 1))
    sizes = " and ".join(map(str, dict.fromkeys(bits)))
    model = _MODELS.get(photometric, f"photometric {photometric}")  # type: ignore[call-overload]
    words = [f"{model} pixels of {sizes} bits"]
    kinds = dict.fromkeys(_numbers(tags.get(FORMAT, 1)))
    words += [_FORMATS.get(kind, f"sample format {kind}") for kind in kinds if kind != 1]
    words += [_EXTRAS.get(kind, f"extra {kind}") for kind in _numbers(tags.get(EXTRA, ()))]
    words += ["in planes"] if tags.get(PLANAR) == SEPARATE else []
    return ", ".join(words)


def _numbers(value: object) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,)  # type: ignore[return-value]
