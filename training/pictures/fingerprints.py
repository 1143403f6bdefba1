"""What makes two files the same picture: a perceptual hash and a thumbnail to confirm it.

A picture that was saved again, scaled or slightly recoloured must not be trained on and tested on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Bits of 64 that may differ, and the mean difference of the thumbnails, on the scale 0 to 255 and
# after each channel's mean was taken away. Of 1,000 photographs of flowers all are within both of
# their copies of JPEG quality 30 and of half the size, 999 of copies that are 10 % brighter; the
# nearest two different ones among those within 12 bits differ by 11.5.
MAX_DIFFERENT_BITS = 10
MAX_THUMBNAIL_DIFFERENCE = 8.0

HASH_SIDE = 8
THUMBNAIL_SIDE = 8
HASH_BYTES = HASH_SIDE * HASH_SIDE // 8
THUMBNAIL_BYTES = THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3
FINGERPRINT_BYTES = HASH_BYTES + THUMBNAIL_BYTES

_BLOCK = 256
# Of so many the differences stay in a core's cache.
_TILE = 2048


def fingerprint(image: Image.Image) -> NDArray[np.uint8]:
    """Return the difference hash and the thumbnail of an RGB image, [FINGERPRINT_BYTES].

    Source: difference hash by Neal Krawetz, "Kind of Like That", 2013: one bit for each of 8 x 8
    neighbours in a row, set where the right one is brighter.
    """
    grey = image.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX)
    levels = np.asarray(grey)
    bits = np.packbits(levels[:, 1:] > levels[:, :-1])
    thumbnail = image.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
    return np.concatenate([bits, np.asarray(thumbnail).ravel()])


def near_duplicates(fingerprints: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Yield the pairs i < j of rows [N, FINGERPRINT_BYTES] that show the same picture."""
    hashes = np.ascontiguousarray(fingerprints[:, :HASH_BYTES]).view(np.uint64).ravel()
    thumbnails = fingerprints[:, HASH_BYTES:]
    for start in range(0, len(hashes), _BLOCK):
        for i, j in np.argwhere(_near(hashes[start : start + _BLOCK], hashes[start:])):
            if i < j and _alike(thumbnails[start + i], thumbnails[start + j]):
                yield int(start + i), int(start + j)


def _near(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which hashes [n] are near which others [N], [n, N]."""
    found = np.empty((len(some), len(others)), np.bool_)
    for at in range(0, len(others), _TILE):
        tile = slice(at, at + _TILE)
        found[:, tile] = np.bitwise_count(some[:, None] ^ others[tile]) <= MAX_DIFFERENT_BITS
    return found


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    difference = np.abs(_without_mean(one) - _without_mean(other)).mean()
    return bool(difference <= MAX_THUMBNAIL_DIFFERENCE)


def _without_mean(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    pixels = thumbnail.reshape(-1, 3).astype(np.float32)
    centred: NDArray[np.float32] = pixels - pixels.mean(axis=0)
    return centred


@dataclass(frozen=True)
class Groups:
    """Which of N things belong together, found by joining pairs."""

    parents: list[int]

    @classmethod
    def of(cls, n: int) -> "Groups":
        """Return `n` things, each alone."""
        return cls(list(range(n)))

    def join(self, i: int, j: int) -> None:
        """Make `i` and `j`, and all that is with them, one group."""
        self.parents[self.root(j)] = self.root(i)

    def root(self, i: int) -> int:
        """Return the member that stands for the group of `i`."""
        while self.parents[i] != i:
            self.parents[i] = self.parents[self.parents[i]]
            i = self.parents[i]
        return i
