"""Files that people send and that are no accepted picture, each with how the refusal calls it."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np

from model_store.errors import ImageError
from model_store.pictures.headers import read_header
from tests.pictures import tiff
from tests.pictures.files import WRITERS, blocks, encoded, picture


@dataclass(frozen=True)
class OtherFile:
    """A file by the name that people have for it, and what the refusal must call it."""

    name: str
    upload: bytes
    called: str

    def answer(self) -> str:
        """Return the sentence of the refusal, without what it accepts."""
        try:
            read_header(self.upload)
        except ImageError as exc:
            return str(exc)
        return "accepted"


def all_files() -> Iterator[OtherFile]:
    """Give every file that is tried: real ones where a library writes them, else their head."""
    yield from _pictures()
    yield from _raw_pictures()
    yield from _containers()
    yield from _texts()


def _pictures() -> Iterator[OtherFile]:
    array, image = blocks(), picture(blocks())
    yield OtherFile("JPEG XL", imagecodecs.jpegxl_encode(array), "JPEG XL")
    container = imagecodecs.jpegxl_encode(array, usecontainer=True)
    yield OtherFile("JPEG XL in a container", container, "JPEG XL")
    yield OtherFile("JPEG 2000", encoded(image, "JPEG2000"), "JPEG 2000")
    codestream = encoded(image, "JPEG2000", no_jp2=True)
    yield OtherFile("JPEG 2000 codestream", codestream, "JPEG 2000")
    yield OtherFile("JPEG-LS", imagecodecs.jpegls_encode(array), "JPEG-LS")
    yield OtherFile("JPEG XR", imagecodecs.jpegxr_encode(array), "JPEG XR")
    yield OtherFile("QOI", encoded(image, "QOI"), "QOI")
    yield OtherFile("icon", encoded(image, "ICO"), "icon")
    yield OtherFile("DDS", encoded(image, "DDS"), "DirectDraw")
    yield OtherFile("PPM", encoded(image, "PPM"), "netpbm")
    yield OtherFile("PSD", b"8BPS\0\1" + bytes(200), "Photoshop")
    yield OtherFile("XCF", b"gimp xcf v011\0" + bytes(200), "GIMP")
    yield OtherFile("OpenEXR", b"v/1\x01\2\0\0\0" + bytes(200), "OpenEXR")
    yield OtherFile("Radiance HDR", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "Radiance")
    yield OtherFile("FITS", b"SIMPLE  =                    T".ljust(2880), "FITS")
    yield OtherFile("DICOM", bytes(128) + b"DICM" + bytes(200), "DICOM")


def _raw_pictures() -> Iterator[OtherFile]:
    thumbnail = blocks().astype(np.uint64)
    raw = tiff.Tiff(photometric=tiff.RGB, tags=((50706, tiff.BYTE, (1, 4, 0, 0)),))
    yield OtherFile("DNG", raw.write(thumbnail), "raw camera")
    reduced = ((254, tiff.LONG, (1,)), (330, tiff.LONG, (8, 8)))
    raw = tiff.Tiff(photometric=tiff.RGB, tags=reduced)
    yield OtherFile("NEF, ARW, PEF", raw.write(thumbnail), "raw camera")
    raw = tiff.Tiff(photometric=32803, bits=16)
    yield OtherFile("TIFF/EP", raw.write(thumbnail[..., :1]), "raw camera")
    for name, head in {
        "CR2": b"II*\0\x10\0\0\0CR\2\0",
        "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
        "RAF": b"FUJIFILMCCD-RAW 0201",
        "ORF": b"IIRO\x08\0\0\0",
        "RW2": b"IIU\0\x18\0\0\0",
        "X3F": b"FOVb\0\0\2\0",
        "MRW": b"\0MRM\0\1\2\3",
    }.items():
        yield OtherFile(name, head + bytes(200), "raw camera")


def _containers() -> Iterator[OtherFile]:
    photograph = WRITERS["JPEG"](picture(blocks()))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("photograph.jpg", photograph)
    yield OtherFile("ZIP of photographs", archive.getvalue(), "ZIP")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as members:
        member = tarfile.TarInfo("photograph.jpg")
        member.size = len(photograph)
        members.addfile(member, io.BytesIO(photograph))
    yield OtherFile("tar of photographs", archive.getvalue(), "tar")
    yield OtherFile("photograph in gzip", gzip.compress(photograph), "gzip")
    for name, head, called in (
        ("RAR", b"Rar!\x1a\7\1\0", "RAR"),
        ("7z", b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        ("bzip2", b"BZh91AY&SY", "bzip2"),
        ("xz", b"\xfd7zXZ\0\0\4", "xz"),
        ("Zstandard", b"\x28\xb5\x2f\xfd", "Zstandard"),
        ("MP4", b"\0\0\0\x20ftypisom\0\0\2\0", "video"),
        ("QuickTime", b"\0\0\0\x14ftypqt  \0\0\0\0", "video"),
        ("WebM", b"\x1aE\xdf\xa3\x9fB\x86\x81", "video"),
        ("AVI", b"RIFF\0\0\0\0AVI LIST", "video"),
        ("MP3", b"ID3\3\0\0\0", "sound"),
        ("WAV", b"RIFF\0\0\0\0WAVEfmt ", "sound"),
        ("PDF", b"%PDF-1.7\n", "PDF"),
        ("PostScript", b"%!PS-Adobe-3.0\n", "PostScript"),
        ("Word, old", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office"),
        ("NumPy array", b"\x93NUMPY\1\0", "NumPy"),
        ("Windows program", b"MZ\x90\0", "program"),
    ):
        yield OtherFile(name, head + bytes(300), called)


def _texts() -> Iterator[OtherFile]:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    for name, text, called in (
        ("SVG", svg, "SVG"),
        ("SVG with a prolog", f'\ufeff<?xml version="1.0"?>\n<!-- drawn -->\n{svg}', "SVG"),
        ("web page", "\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
        ("other XML", '<?xml version="1.0"?><error/>', "XML"),
        ("JSON", '{"image_url": "https://example.org/a.jpg"}', "JSON"),
        ("data: URL", "data:image/png;base64,iVBORw0KGgo=", "data: URL"),
        ("address", "https://example.org/a.jpg", "address"),
    ):
        yield OtherFile(name, text.encode(), called)
    yield OtherFile("SVG in UTF-16", svg.encode("utf-16"), "SVG")
    yield OtherFile("nothing known", b"\x01\x02\x03\x04" * 50, "not a picture")
    yield OtherFile("one byte", b"\xff", "not a picture")
