"""JPEG: scans without end, segments without end, and sizes that nobody fills."""

import struct

from PIL import Image

from chaos.hostile.cases import MOST_BYTES, SIDE, TOO_MANY, Case, bits, filled, saved

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
BASELINE, PROGRESSIVE = 0xC0, 0xC2
_APP1, _APP2, _APP13, _COMMENT = 0xE1, 0xE2, 0xED, 0xFE
_BLOCK_PIXELS = 8
# A run of 32,767 blocks in which nothing changes: the symbol 0xE0 and 14 bits.
_LONGEST_RUN = 2**15 - 1
_RUN_SYMBOL = 0xE0


def segment(marker: int, body: bytes = b"") -> bytes:
    """Return one marker segment with its length."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def frame(marker: int, width: int, height: int, components: int = 1) -> bytes:
    """Return the frame header of 8-bit pixels without subsampling."""
    parts = b"".join(bytes((n + 1, 0x11, 0)) for n in range(components))
    return segment(marker, struct.pack(">BHHB", 8, height, width, components) + parts)


def _tables() -> bytes:
    quantization = segment(0xDB, b"\x00" + b"\x01" * 64)
    # One code of one bit each: a difference of 0, and the longest run.
    only = bytes((1,)) + bytes(15)
    codes = segment(0xC4, b"\x00" + only + b"\x00" + b"\x10" + only + bytes((_RUN_SYMBOL,)))
    return quantization + codes


def _scan(first: int, last: int, data: bytes) -> bytes:
    return segment(0xDA, bytes((1, 1, 0, first, last, 0))) + data


def _progressive(scans: int, *, side: int = SIDE) -> bytes:
    blocks = (-(-side // _BLOCK_PIXELS)) ** 2
    runs = -(-blocks // _LONGEST_RUN)
    one = _scan(1, 63, bits(("0" + "1" * 14) * runs).replace(b"\xff", b"\xff\x00"))
    head = SOI + _tables() + frame(PROGRESSIVE, side, side) + _scan(0, 0, bits("0" * blocks))
    room = (MOST_BYTES - len(head) - len(EOI)) // len(one)
    return head + one * min(scans, room) + EOI


def _between(piece: bytes) -> bytes:
    small = saved(Image.new("RGB", (16, 16), "red"), "JPEG")
    return filled(SOI, piece, small[2:])


def _multi_picture() -> bytes:
    # An index that claims 65,535 pictures. Source: CIPA DC-007, 5.2.
    entries = [(0xB000, 7, 4, b"0100"), (0xB001, 4, 1, struct.pack("<I", 65535))]
    entries.append((0xB002, 7, 16 * 65535, struct.pack("<I", 50)))
    table = b"".join(struct.pack("<HHI", *each[:3]) + each[3] for each in entries)
    index = b"MPF\0" + b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(20)
    return SOI + segment(_APP2, index) + saved(Image.new("RGB", (16, 16)), "JPEG")[2:]


def _exif_loop() -> bytes:
    # The directory's next one, its EXIF and its GPS directory are the directory itself.
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005))
    block = b"II*\0" + struct.pack("<IH", 8, 3) + entries + struct.pack("<I", 8)
    return SOI + segment(_APP1, b"Exif\0\0" + block) + saved(Image.new("L", (16, 16)), "JPEG")[2:]


BOMBS = (
    Case(
        "JPEG 65500 x 65500",
        lambda: SOI + _tables() + frame(BASELINE, 65500, 65500) + EOI,
        TOO_MANY,
    ),
    Case("JPEG 40 megapixels of one scan", lambda: _progressive(1)),
    Case("JPEG 100 progressive scans", lambda: _progressive(100)),
    Case("JPEG 10,000 progressive scans", lambda: _progressive(10_000)),
    Case("JPEG 10,000 scans of a small picture", lambda: _progressive(10_000, side=512)),
    Case("JPEG empty APP segments", lambda: _between(segment(_APP13))),
    Case("JPEG EXIF in small pieces", lambda: _between(segment(_APP1, b"Exif\0\0" + bytes(10)))),
    Case(
        "JPEG XMP in small pieces",
        lambda: _between(segment(_APP1, b"http://ns.adobe.com/xap/1.0/\0x")),
    ),
    Case("JPEG profile in small pieces", lambda: _between(segment(_APP2, b"ICC_PROFILE\0\1\1x"))),
    Case("JPEG comments", lambda: _between(segment(_COMMENT, b"x"))),
    Case("JPEG filling bytes", lambda: _between(b"\xff")),
    Case("JPEG junk between segments", lambda: filled(SOI + segment(_COMMENT), b"\x00")),
    Case("JPEG an index of 65,535 pictures", _multi_picture),
    Case("JPEG EXIF that points to itself", _exif_loop),
)
