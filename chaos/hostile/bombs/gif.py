"""GIF: giant frames, frames and comments without end."""

import struct

from chaos.hostile.cases import SIDE, TOO_MANY, Case, filled

_END = b";"
# Codes of two colours: clear, then a pixel, then the end. Source: GIF89a, appendix F.
_WIDEST = 12
_PIXEL = b"\x02\x02\x44\x01\x00"


def head(width: int, height: int) -> bytes:
    """Return signature, screen and a palette of two colours."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"


def frame(width: int, height: int, *, left: int = 0, data: bytes = _PIXEL) -> bytes:
    """Return one frame."""
    return b"," + struct.pack("<HHHHB", left, 0, width, height, 0) + data


def _disposed(method: int) -> bytes:
    """Return a giant frame that says what becomes of its place afterwards."""
    control = b"!\xf9\x04" + bytes((method << 2, 0, 0, 0, 0))
    return head(65535, 65535) + control + frame(65535, 65535) + _END


def _packed(pixels: int) -> bytes:
    """Return codes of so many equal pixels: each is one longer than the one before it."""
    text, width, next_code, left = _little(4, 3) + _little(0, 3), 3, 6, pixels - 1
    run = 2
    while left > 0:
        text += _little(next_code, width)
        left, run, next_code = left - run, run + 1, next_code + 1
        if next_code > 2**width - 1 and width < _WIDEST:
            width += 1
        if next_code == 2**_WIDEST - 1:
            text += _little(4, width) + _little(0, 3)
            width, next_code, run, left = 3, 6, 2, left - 1
    return _blocks(text + _little(5, width))


def _little(code: int, width: int) -> str:
    return format(code, f"0{width}b")[::-1]


def _blocks(text: str) -> bytes:
    text += "0" * (-len(text) % 8)
    data = bytes(int(text[n : n + 8][::-1], 2) for n in range(0, len(text), 8))
    pieces = [data[n : n + 255] for n in range(0, len(data), 255)]
    return b"\x02" + b"".join(bytes((len(each),)) + each for each in pieces) + b"\0"


def _giant() -> bytes:
    return head(SIDE, SIDE) + frame(SIDE, SIDE, data=_packed(SIDE * SIDE)) + _END


BOMBS = (
    Case("GIF a frame of 65535 x 65535", lambda: head(1, 1) + frame(65535, 65535) + _END, TOO_MANY),
    Case("GIF a giant frame that is wiped out", lambda: _disposed(2), TOO_MANY),
    Case("GIF a giant frame that is taken back", lambda: _disposed(3), TOO_MANY),
    Case("GIF a frame far outside", lambda: head(1, 1) + frame(1, 1, left=65535) + _END),
    Case("GIF 40 megapixels", _giant),
    Case(
        "GIF 40 megapixels, one pixel written", lambda: head(SIDE, SIDE) + frame(SIDE, SIDE) + _END
    ),
    Case("GIF 100,000 frames", lambda: head(9, 9) + frame(9, 9) * 100_000 + _END),
    Case(
        "GIF 100,000 frames of 40 megapixels",
        lambda: head(SIDE, SIDE) + frame(SIDE, SIDE) * 100_000,
    ),
    Case(
        "GIF comments without end", lambda: filled(head(9, 9), b"!\xfe\x01x\0", frame(1, 1) + _END)
    ),
    Case(
        "GIF a comment in pieces of a byte",
        lambda: filled(head(9, 9) + b"!\xfe", b"\x01x", b"\0" + frame(1, 1)),
    ),
    Case(
        "GIF extensions without end",
        lambda: filled(head(9, 9), b"!\xf9\x04\0\0\0\0\0", frame(1, 1) + _END),
    ),
    Case("GIF junk without end", lambda: filled(head(9, 9), b"\x01")),
)
