"""What is no picture, what is one and something else too, and pictures that are not taken here."""

import gzip
import io
import tarfile
import zipfile
from base64 import b64encode

from PIL import Image

from chaos.hostile.cases import ANSWERED, MOST_BYTES, Case, saved
from model_store.errors import (
    NotAnImageError,
    TruncatedImageError,
    UnsupportedImageFormatError,
)

_NO_PICTURE = (NotAnImageError.__name__, UnsupportedImageFormatError.__name__)
# A signature and nothing that fits behind it.
_BROKEN = (NotAnImageError.__name__, TruncatedImageError.__name__)
_PICTURE = (ANSWERED,)
_HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
_SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
_PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
_JPEG_XL = bytes.fromhex("0000000c4a584c200d0a870a")


def _red(format: str) -> bytes:
    return saved(Image.new("RGB", (16, 16), "red"), format)


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("index.html", _HTML)
    return stream.getvalue()


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        picture = _red("PNG")
        entry = tarfile.TarInfo("red.png")
        entry.size = len(picture)
        archive.addfile(entry, io.BytesIO(picture))
    return stream.getvalue()


def _zip_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(2**28))
    return stream.getvalue()


STRANGERS: tuple[Case, ...] = (
    Case("nothing", lambda: b"", _NO_PICTURE),
    Case("one byte", lambda: b"\xff", _NO_PICTURE),
    Case("10 MB of zeros", lambda: bytes(MOST_BYTES), _NO_PICTURE),
    Case("10 MB of letters", lambda: b"A" * MOST_BYTES, _NO_PICTURE),
    Case("10 MB of line ends", lambda: b"\r\n" * (MOST_BYTES // 2), _NO_PICTURE),
    Case("HTML", lambda: _HTML, _NO_PICTURE),
    Case("SVG", lambda: _SVG, _NO_PICTURE),
    Case("SVG, packed", lambda: gzip.compress(_SVG), _NO_PICTURE),
    Case("JSON", lambda: b'{"image": "none"}', _NO_PICTURE),
    Case("text with a mark of its order", lambda: "red".encode("utf-16"), _NO_PICTURE),
    Case("PDF", lambda: _PDF, _NO_PICTURE),
    Case("PostScript with a picture's size", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", _NO_PICTURE),
    Case("a program", lambda: b"\x7fELF\x02\x01\x01" + bytes(99), _NO_PICTURE),
    Case("a script", lambda: b"#!/bin/sh\ntrue\n", _NO_PICTURE),
    Case("a zip", _zip, _NO_PICTURE),
    Case("a zip that unpacks to 256 MiB", _zip_bomb, _NO_PICTURE),
    Case("a tar with a picture", _tar, _NO_PICTURE),
    Case("a packed picture", lambda: gzip.compress(_red("JPEG")), _NO_PICTURE),
    Case("a picture in base64", lambda: b64encode(_red("JPEG")), _NO_PICTURE),
    Case("a picture behind a line end", lambda: b"\n" + _red("JPEG"), _NO_PICTURE),
    Case("a video", lambda: b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(99), _NO_PICTURE),
    Case("JPEG XL", lambda: _JPEG_XL + bytes(99), _NO_PICTURE),
    Case("PSD", lambda: b"8BPS\0\1" + bytes(99), _NO_PICTURE),
    Case("an icon", lambda: _red("ICO"), _NO_PICTURE),
    Case("a portable pixel map", lambda: _red("PPM"), _NO_PICTURE),
    Case("TGA", lambda: _red("TGA"), _NO_PICTURE),
    Case("a sound in RIFF", lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(28), _NO_PICTURE),
    Case("a zip behind a GIF's signature", lambda: b"GIF89a" + _zip(), ()),
    Case("HTML behind a GIF's signature", lambda: b"GIF89a=1;" + _HTML, ()),
    Case("HTML behind a JPEG's signature", lambda: b"\xff\xd8\xff\xe0" + _HTML, _BROKEN),
    Case("HTML behind a bitmap's signature", lambda: b"BM" + _HTML, _BROKEN),
    Case("a signature alone: PNG", lambda: b"\x89PNG\r\n\x1a\n", _BROKEN),
    Case("a signature alone: TIFF", lambda: b"II*\0", _BROKEN),
    Case("a signature alone: WebP", lambda: b"RIFF\xff\xff\xff\xffWEBPVP8 ", _BROKEN),
    Case("a signature alone: AVIF", lambda: b"\0\0\0\x14ftypavif\0\0\0\0avif", _BROKEN),
    Case("JPEG and PDF", lambda: _red("JPEG") + _PDF, _PICTURE),
    Case("JPEG and a zip", lambda: _red("JPEG") + _zip(), _PICTURE),
    Case("JPEG and HTML", lambda: _red("JPEG") + _HTML, _PICTURE),
    Case("PNG and a zip", lambda: _red("PNG") + _zip(), _PICTURE),
    Case("PNG and 9 MB of zeros", lambda: _red("PNG") + bytes(9_000_000), _PICTURE),
    Case("PNG and JPEG", lambda: _red("PNG") + _red("JPEG"), _PICTURE),
    Case("GIF and a zip", lambda: _red("GIF") + _zip(), _PICTURE),
    Case("WebP and a zip", lambda: _red("WEBP") + _zip(), _PICTURE),
    Case("BMP and a zip", lambda: _red("BMP") + _zip(), _PICTURE),
    Case("TIFF and a zip", lambda: _red("TIFF") + _zip(), _PICTURE),
)
"""Every one of them."""
