"""WebP: canvases that nobody fills, frames and chunks without end."""

import struct

from PIL import Image

from chaos.hostile.cases import MOST_BYTES, SIDE, TOO_MANY, Case, saved

_LARGEST = 16383
_ANIMATED, _ALPHA = 0x02, 0x10


def chunk(name: bytes, body: bytes = b"") -> bytes:
    """Return one chunk, filled up to an even length."""
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    """Return a WebP file of these chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _canvas(width: int, height: int, flags: int) -> bytes:
    return chunk(b"VP8X", struct.pack("<I", flags) + _three(width - 1) + _three(height - 1))


def _three(number: int) -> bytes:
    return struct.pack("<I", number)[:3]


def _frame(image: Image.Image, **options: object) -> bytes:
    data = saved(image, "WEBP", **options)[12:]
    width, height = image.size
    place = _three(0) * 2 + _three(width - 1) + _three(height - 1) + _three(1) + b"\0"
    return chunk(b"ANMF", place + data)


def _animated(width: int, height: int, frame: bytes, count: int) -> bytes:
    head = _canvas(width, height, _ANIMATED) + chunk(b"ANIM", bytes(6))
    room = (MOST_BYTES - len(head) - 12) // len(frame)
    return riff(head, frame * min(count, room))


def _small() -> bytes:
    return _frame(Image.new("RGB", (16, 16), "red"), lossless=True)


def _chunks_without_end() -> bytes:
    pixels = saved(Image.new("RGB", (16, 16), "red"), "WEBP")[12:]
    return riff(_canvas(16, 16, 0), pixels, chunk(b"abcd") * ((MOST_BYTES - 200) // 8))


def _flat(**options: object) -> bytes:
    mode = "RGBA" if options.pop("alpha", False) else "RGB"
    colour = (9, 8, 7, 6)[: len(mode)]
    return saved(Image.new(mode, (SIDE, SIDE), colour), "WEBP", method=0, **options)


def _lossless_header(width: int, height: int) -> bytes:
    return riff(
        chunk(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + bytes(99))
    )


BOMBS = (
    Case(
        "WEBP a canvas of 16383 x 16383",
        lambda: _animated(_LARGEST, _LARGEST, _small(), 1),
        TOO_MANY,
    ),
    Case("WEBP a canvas of 2^24 x 255", lambda: _animated(2**24, 255, _small(), 1)),
    Case("WEBP a canvas of 40 megapixels", lambda: _animated(SIDE, SIDE, _small(), 1)),
    Case("WEBP lossless 16384 x 16384", lambda: _lossless_header(2**14, 2**14), TOO_MANY),
    Case("WEBP 100,000 frames", lambda: _animated(16, 16, _small(), 100_000)),
    Case("WEBP 100,000 frames on 40 megapixels", lambda: _animated(SIDE, SIDE, _small(), 100_000)),
    Case("WEBP chunks without end", _chunks_without_end),
    Case("WEBP 40 megapixels", _flat),
    Case("WEBP 40 megapixels with alpha", lambda: _flat(alpha=True)),
    Case("WEBP 40 megapixels, lossless", lambda: _flat(lossless=True, quality=0)),
)
