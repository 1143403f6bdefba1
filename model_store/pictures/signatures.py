"""What an upload is that is no picture of an accepted format, by its first bytes.

Sources of the marks: the formats' own documents; the file(1) data base.
"""

from dataclasses import dataclass

AS_PICTURE = "save it as JPEG or PNG"
ONE_BY_ONE = "send the pictures in it one by one"
ONE_FRAME = "send one frame as JPEG or PNG"
ONE_PAGE = "send a page of it as JPEG or PNG"
DEVELOPED = "export it as JPEG"


@dataclass(frozen=True)
class Signature:
    """The bytes that a kind of file has at a place, and what a client should do about it."""

    offset: int
    mark: bytes
    name: str
    advice: str

    def fits(self, upload: bytes) -> bool:
        """Say whether an upload has the mark."""
        return upload.startswith(self.mark, self.offset)


# The first that fits counts, so those that begin as another does come before it.
_SIGNATURES = (
    Signature(0, b"\xff\x0a", "a JPEG XL picture", AS_PICTURE),
    Signature(0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", AS_PICTURE),
    Signature(0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture", AS_PICTURE),
    Signature(0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture", AS_PICTURE),
    Signature(0, b"II\xbc\x01", "a JPEG XR picture", AS_PICTURE),
    Signature(0, b"8BPS", "a Photoshop document (PSD)", AS_PICTURE),
    Signature(0, b"gimp xcf", "a GIMP document (XCF)", AS_PICTURE),
    Signature(0, b"\0\0\1\0", "an icon (ICO)", AS_PICTURE),
    Signature(0, b"qoif", "a QOI picture", AS_PICTURE),
    Signature(0, b"v/1\1", "an OpenEXR picture", AS_PICTURE),
    Signature(0, b"#?RADIANCE", "a Radiance HDR picture", AS_PICTURE),
    Signature(0, b"DDS ", "a DirectDraw texture (DDS)", AS_PICTURE),
    Signature(0, b"SIMPLE  =", "a FITS picture", AS_PICTURE),
    Signature(128, b"DICM", "a DICOM picture", AS_PICTURE),
    Signature(0, b"FUJIFILMCCD-RAW", "a raw camera picture (RAF)", DEVELOPED),
    Signature(4, b"ftypcrx ", "a raw camera picture (CR3)", DEVELOPED),
    Signature(0, b"IIRO", "a raw camera picture (ORF)", DEVELOPED),
    Signature(0, b"IIRS", "a raw camera picture (ORF)", DEVELOPED),
    Signature(0, b"MMOR", "a raw camera picture (ORF)", DEVELOPED),
    Signature(0, b"IIU\0", "a raw camera picture (RW2)", DEVELOPED),
    Signature(0, b"FOVb", "a raw camera picture (X3F)", DEVELOPED),
    Signature(0, b"\0MRM", "a raw camera picture (MRW)", DEVELOPED),
    Signature(0, b"%PDF-", "a PDF document", ONE_PAGE),
    Signature(0, b"%!PS", "a PostScript document", ONE_PAGE),
    Signature(0, b"\xc5\xd0\xd3\xc6", "a PostScript document", ONE_PAGE),
    Signature(0, b"AT&TFORM", "a DjVu document", ONE_PAGE),
    Signature(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", ONE_PAGE),
    Signature(0, b"PK\3\4", "a ZIP archive", ONE_BY_ONE),
    Signature(0, b"PK\5\6", "a ZIP archive", ONE_BY_ONE),
    Signature(0, b"Rar!\x1a\7", "a RAR archive", ONE_BY_ONE),
    Signature(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", ONE_BY_ONE),
    Signature(257, b"ustar", "a tar archive", ONE_BY_ONE),
    Signature(0, b"\x1f\x8b", "a gzip file", "unpack it first"),
    Signature(0, b"BZh", "a bzip2 file", "unpack it first"),
    Signature(0, b"\xfd7zXZ\0", "an xz file", "unpack it first"),
    Signature(0, b"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it first"),
    Signature(4, b"ftypM4A", "a sound file", "send a picture"),
    Signature(4, b"ftyp", "a video", ONE_FRAME),
    Signature(4, b"moov", "a video", ONE_FRAME),
    Signature(0, b"\x1aE\xdf\xa3", "a video", ONE_FRAME),
    Signature(8, b"AVI ", "a video", ONE_FRAME),
    Signature(0, b"OggS", "a video", ONE_FRAME),
    Signature(0, b"FLV\1", "a video", ONE_FRAME),
    Signature(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video", ONE_FRAME),
    Signature(0, b"\0\0\1\xba", "a video", ONE_FRAME),
    Signature(0, b"\0\0\1\xb3", "a video", ONE_FRAME),
    Signature(8, b"WAVE", "a sound file", "send a picture"),
    Signature(0, b"ID3", "a sound file", "send a picture"),
    Signature(0, b"fLaC", "a sound file", "send a picture"),
    Signature(0, b"\x93NUMPY", "a NumPy array", AS_PICTURE),
    Signature(0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", AS_PICTURE),
    Signature(0, b"SQLite format 3\0", "a data base", "send a picture"),
    Signature(0, b"\x7fELF", "a program", "send a picture"),
    Signature(0, b"MZ", "a program", "send a picture"),
    *(
        Signature(0, b"P%d%c" % (kind, space), "a netpbm picture", AS_PICTURE)
        for kind in range(1, 8)
        for space in b"\n\r\t "
    ),
)

# Text is looked at without what editors put before it, and without case.
_TEXTS = (
    ("<!doctype html", "a web page (HTML)", "send the picture itself, not the page that shows it"),
    ("<html", "a web page (HTML)", "send the picture itself, not the page that shows it"),
    ("<svg", "an SVG drawing", AS_PICTURE),
    ("data:", "a data: URL", "send it as image_url, or decode it"),
    ("{", "a JSON text", "send the picture itself, or application/json as the type"),
    ("http://", "text with an address", "send it as image_url"),
    ("https://", "text with an address", "send it as image_url"),
)
_TEXT_BYTES = 4096


def recognised(upload: bytes) -> tuple[str, str] | None:
    """Return the name of what an upload is and what to do about it; None where nobody knows."""
    for signature in _SIGNATURES:
        if signature.fits(upload):
            return signature.name, signature.advice
    return _text(upload[:_TEXT_BYTES])


def _text(head: bytes) -> tuple[str, str] | None:
    encoding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    text = head.decode(encoding, "replace").lstrip().lower()
    for mark, name, advice in _TEXTS:
        if text.startswith(mark):
            return name, advice
    if text.startswith("<?xml") or text.startswith("<!--"):
        return (
            ("an SVG drawing", AS_PICTURE) if "<svg" in text else ("an XML text", "send a picture")
        )
    return None
