"""The corpus of mutants: a number, a format and a seed give the same bytes on every machine.

A mutant is a seed picture that was changed once to four times, at random, mostly where readers
trust a file.
"""

import struct
import zlib
from collections.abc import Callable
from random import Random

from chaos.hostile.drawings import seeds
from chaos.hostile.pieces import Piece, pieces

MOST_CHANGES = 4
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**24)
_WIDTHS = {"B": 1, "H": 2, "I": 4}
_HEAD = 64
_PNG = b"\x89PNG\r\n\x1a\n"
# Check sums of some are left wrong, which is a case of its own.
_MENDED_SHARE = 0.8


def mutant(format: str, number: int, *, seed: int) -> bytes:
    """Return one mutant of the format's seed pictures."""
    random = Random(f"{seed}/{format}/{number}")  # noqa: S311 - it must be the same again
    originals = seeds(format)
    upload, other = originals[number % len(originals)], random.choice(originals)
    for _ in range(random.randint(1, MOST_CHANGES)):
        upload = random.choice(_CHANGES)(random, upload, other)
    is_mended = upload.startswith(_PNG) and random.random() < _MENDED_SHARE
    return _with_check_sums(upload) if is_mended else upload


def _flipped_bits(random: Random, upload: bytes, _: bytes) -> bytes:
    changed = bytearray(upload)
    for _n in range(random.choice((1, 2, 8, 32)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _run_of_bytes(random: Random, upload: bytes, _: bytes) -> bytes:
    at, length = _place(random, upload), random.choice((1, 4, 16, 64, 256))
    run = random.choice((b"\0" * length, b"\xff" * length, random.randbytes(length)))
    return upload[:at] + run + upload[at + random.choice((0, length)) :]


def _cut(random: Random, upload: bytes, _: bytes) -> bytes:
    at = _place(random, upload)
    return random.choice((upload[:at], upload[:at] + upload[at + random.randint(1, 64) :]))


def _splice(random: Random, upload: bytes, other: bytes) -> bytes:
    return upload[: _place(random, upload)] + other[_place(random, other) :]


def _extreme_number(random: Random, upload: bytes, _: bytes) -> bytes:
    letter = random.choice("BHI")
    number = random.choice(_EXTREMES) % 256 ** _WIDTHS[letter]
    at = random.randrange(_HEAD) if random.random() < 0.5 else _place(random, upload)  # noqa: PLR2004 - half of them
    return _overwritten(upload, at, struct.pack(random.choice("<>") + letter, number))


def _other_length(random: Random, upload: bytes, _: bytes) -> bytes:
    piece = _piece(random, upload)
    if piece is None:
        return upload
    (length,) = struct.unpack_from(piece.length_format, upload, piece.length_at)
    near = length + random.choice((-65, -4, -1, 1, 4, 64))
    number = random.choice((near, random.choice(_EXTREMES), length * 2))
    limit = 256 ** struct.calcsize(piece.length_format)
    packed = struct.pack(piece.length_format, number % limit)
    return _overwritten(upload, piece.length_at, packed)


def _repeated(random: Random, upload: bytes, _: bytes) -> bytes:
    piece = _piece(random, upload)
    if piece is None:
        return upload
    times = random.choice((1, 2, 100))
    return upload[: piece.end] + upload[piece.start : piece.end] * times + upload[piece.end :]


def _left_out(random: Random, upload: bytes, _: bytes) -> bytes:
    piece = _piece(random, upload)
    return upload if piece is None else upload[: piece.start] + upload[piece.end :]


def _exchanged(random: Random, upload: bytes, _: bytes) -> bytes:
    found = pieces(upload)
    if len(found) < 2:  # noqa: PLR2004 - one cannot be exchanged
        return upload
    first, second = sorted(random.sample(found, 2), key=lambda piece: piece.start)
    if first.end > second.start:
        return upload
    between = upload[first.end : second.start]
    one, two = upload[first.start : first.end], upload[second.start : second.end]
    return upload[: first.start] + two + between + one + upload[second.end :]


def _foreign_piece(random: Random, upload: bytes, other: bytes) -> bytes:
    piece, taken = _piece(random, upload), _piece(random, other)
    if piece is None or taken is None:
        return upload
    return upload[: piece.start] + other[taken.start : taken.end] + upload[piece.end :]


def _repacked(random: Random, upload: bytes, other: bytes) -> bytes:
    """Return a PNG whose unpacked rows were changed; other files in another way."""
    rows = next((p for p in pieces(upload) if upload[p.start + 4 : p.start + 8] == b"IDAT"), None)
    if not upload.startswith(_PNG) or rows is None:
        return _other_length(random, upload, other)
    try:
        unpacked = zlib.decompress(upload[rows.start + 8 : rows.end - 4])
    except zlib.error:
        # An earlier change broke it.
        return upload
    change = random.choice((_flipped_bits, _run_of_bytes, _cut))
    packed = zlib.compress(change(random, unpacked, other))
    chunk = struct.pack(">I", len(packed)) + b"IDAT" + packed + bytes(4)
    return upload[: rows.start] + chunk + upload[rows.end :]


_CHANGES: tuple[Callable[[Random, bytes, bytes], bytes], ...] = (
    *(_flipped_bits, _run_of_bytes, _cut, _splice, _extreme_number, _other_length),
    *(_repeated, _left_out, _exchanged, _foreign_piece, _repacked),
)


def _place(random: Random, upload: bytes) -> int:
    """Return where to change something: at a piece's begin in half of all cases."""
    piece = _piece(random, upload)
    is_anywhere = piece is None or random.random() < 0.5  # noqa: PLR2004 - half of them
    return random.randint(0, len(upload)) if is_anywhere or piece is None else piece.start


def _piece(random: Random, upload: bytes) -> Piece | None:
    found = [piece for piece in pieces(upload) if piece.end <= len(upload)]
    return random.choice(found) if found else None


def _overwritten(upload: bytes, at: int, data: bytes) -> bytes:
    return upload[:at] + data + upload[at + len(data) :]


def _with_check_sums(upload: bytes) -> bytes:
    changed = bytearray(upload)
    for piece in pieces(upload):
        if piece.end - piece.start >= 12:  # noqa: PLR2004 - length, name and check sum
            body = bytes(changed[piece.start + 4 : piece.end - 4])
            changed[piece.end - 4 : piece.end] = struct.pack(">I", zlib.crc32(body))
    return bytes(changed)
