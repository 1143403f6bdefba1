"""TIFF files written byte by byte, in layouts that few programs write and many people have.

Source: TIFF Revision 6.0, Adobe 1992; BigTIFF as in libtiff's design note.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BYTE, SHORT, LONG, UNDEFINED, LONG8 = 1, 3, 4, 7, 16
CODES = {BYTE: "B", SHORT: "H", LONG: "I", UNDEFINED: "B", LONG8: "Q", 6: "b", 8: "h", 9: "i"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, CIELAB, ICCLAB = (*range(7), 8, 9)
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
UNSPECIFIED, ASSOCIATED, STRAIGHT = 0, 1, 2
TILE = 16


@dataclass(frozen=True)
class Tiff:
    """How a picture's samples are laid out in a file.

    Attributes:
        photometric: What the samples mean, as in the tag of this name.
        bits: Bits of each sample; float samples have 16, 32 or 64.
        extra: What the samples after the colours are, as in ExtraSamples.
        order: `<` for a little-endian file, `>` for a big-endian one.
        fill: FillOrder: 2 has the bits of each byte reversed.
        planar: PlanarConfiguration: 2 has one plane after another.
        orientation: The tag's type and value.
        tags: More tags, each number with its type and values.
    """

    photometric: int = BLACK_IS_ZERO
    bits: int = 8
    extra: tuple[int, ...] = ()
    sample_format: int = UNSIGNED
    order: str = "<"
    fill: int = 1
    planar: int = 1
    tiled: bool = False
    deflated: bool = False
    predictor: int = 1
    big: bool = False
    rows_per_strip: int = 0
    colormap: tuple[int, ...] = ()
    orientation: tuple[int, int] | None = None
    tags: tuple[tuple[int, int, tuple[int, ...]], ...] = ()

    @property
    def top(self) -> int:
        """The largest sample."""
        return 2**self.bits - 1

    def write(self, samples: NDArray[Any]) -> bytes:
        """Return the file of samples [H, W, S], each in the range of its bits."""
        blocks = [self._coded(block) for block in self._blocks(samples)]
        return self._file(samples.shape, blocks)

    def _blocks(self, samples: NDArray[Any]) -> Iterator[NDArray[Any]]:
        planes = np.split(samples, samples.shape[2], 2) if self.planar == 2 else [samples]
        for plane in planes:
            yield from self._tiles(plane) if self.tiled else self._strips(plane)

    def _strips(self, plane: NDArray[Any]) -> Iterator[NDArray[Any]]:
        rows = self.rows_per_strip or len(plane)
        for top in range(0, len(plane), rows):
            yield plane[top : top + rows]

    def _tiles(self, plane: NDArray[Any]) -> Iterator[NDArray[Any]]:
        height, width = (-(-side // TILE) * TILE for side in plane.shape[:2])
        missing = ((0, height - plane.shape[0]), (0, width - plane.shape[1]), (0, 0))
        padded = np.pad(plane, missing, mode="edge")
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                yield padded[top : top + TILE, left : left + TILE]

    def _coded(self, block: NDArray[Any]) -> bytes:
        if self.predictor == 2:
            before = np.concatenate([np.zeros_like(block[:, :1]), block[:, :-1]], axis=1)
            block = (block - before) & (2**self.bits - 1)
        packed = self._packed(block.reshape(len(block), -1))
        if self.deflated:
            packed = zlib.compress(packed)
        return reversed_bits(packed) if self.fill == 2 else packed

    def _packed(self, rows: NDArray[Any]) -> bytes:
        if self.sample_format == FLOAT:
            return rows.astype(f"{self.order}f{self.bits // 8}").tobytes()
        if self.bits % 8 == 0 and self.bits != 24:
            kind = "i" if self.sample_format == SIGNED else "u"
            return rows.astype(f"{self.order}{kind}{self.bits // 8}").tobytes()
        return packed_bits(rows, self.bits)

    def _file(self, shape: tuple[int, ...], blocks: list[bytes]) -> bytes:
        head = 16 if self.big else 8
        offsets = [head + sum(map(len, blocks[:i])) for i in range(len(blocks))]
        body = b"".join(blocks) + bytes(sum(map(len, blocks)) % 2)
        start = head + len(body)
        directory = self._directory(self._entries(shape, blocks, offsets), start)
        return self._head(start) + body + directory

    def _head(self, start: int) -> bytes:
        mark = b"II" if self.order == "<" else b"MM"
        if self.big:
            return mark + struct.pack(f"{self.order}HHHQ", 43, 8, 0, start)
        return mark + struct.pack(f"{self.order}HI", 42, start)

    def _entries(
        self, shape: tuple[int, ...], blocks: list[bytes], offsets: list[int]
    ) -> dict[int, tuple[int, tuple[int, ...]]]:
        height, width, samples = shape
        sizes = tuple(map(len, blocks))
        entries: dict[int, tuple[int, tuple[int, ...]]] = {
            256: (LONG, (width,)),
            257: (LONG, (height,)),
            258: (SHORT, (self.bits,) * samples),
            259: (SHORT, (8 if self.deflated else 1,)),
            262: (SHORT, (self.photometric,)),
            266: (SHORT, (self.fill,)),
            277: (SHORT, (samples,)),
            284: (SHORT, (self.planar,)),
            317: (SHORT, (self.predictor,)),
            339: (SHORT, (self.sample_format,) * samples),
        }
        if self.tiled:
            entries |= {322: (SHORT, (TILE,)), 323: (SHORT, (TILE,))}
            entries |= {324: (LONG, tuple(offsets)), 325: (LONG, sizes)}
        else:
            entries |= {273: (LONG, tuple(offsets)), 279: (LONG, sizes)}
            entries[278] = (LONG, (self.rows_per_strip or height,))
        if self.orientation:
            entries[274] = (self.orientation[0], (self.orientation[1],))
        if self.extra:
            entries[338] = (SHORT, self.extra)
        if self.colormap:
            entries[320] = (SHORT, self.colormap)
        return entries | {number: (kind, values) for number, kind, values in self.tags}

    def _directory(self, entries: dict[int, tuple[int, tuple[int, ...]]], start: int) -> bytes:
        count, place, room = ("Q", "Q", 8) if self.big else ("H", "I", 4)
        entry_bytes = 4 + 2 * room
        after = start + struct.calcsize(count) + entry_bytes * len(entries) + room
        lines, beyond = b"", b""
        for number, (kind, values) in sorted(entries.items()):
            packed = struct.pack(f"{self.order}{len(values)}{CODES[kind]}", *values)
            if len(packed) > room:
                where = struct.pack(f"{self.order}{place}", after + len(beyond))
                beyond += packed + bytes(len(packed) % 2)
            else:
                where = packed.ljust(room, b"\0")
            lines += struct.pack(f"{self.order}HH{place}", number, kind, len(values)) + where
        return struct.pack(f"{self.order}{count}", len(entries)) + lines + bytes(room) + beyond


def packed_bits(rows: NDArray[Any], bits: int) -> bytes:
    """Return rows [H, N] of samples of so many bits, each row filled up to a whole byte."""
    places = np.arange(bits - 1, -1, -1)
    each = ((rows[..., None].astype(np.uint64) >> places.astype(np.uint64)) & 1).astype(np.uint8)
    return np.packbits(each.reshape(len(rows), -1), axis=1).tobytes()


def reversed_bits(packed: bytes) -> bytes:
    """Return bytes whose bits stand in the other order."""
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    return np.packbits(bits).tobytes()
