"""What makes two files the same picture: a perceptual hash and a thumbnail to confirm it.

A picture that was saved again, scaled or slightly recoloured must not be trained on and tested on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.pictures import near_hashes

# The mean difference of the thumbnails, on the scale 0 to 255 and after each channel's mean was
# taken away; beside it counts `near_hashes.MAX_DIFFERENT_BITS`. Of 1,000 photographs of flowers all
# are within both of their copies of JPEG quality 30 and of half the size, 999 of copies that are
# 10 % brighter; the nearest two different ones among those within 12 bits differ by 11.5.
MAX_THUMBNAIL_DIFFERENCE = 8.0

HASH_SIDE = 8
THUMBNAIL_SIDE = 8
HASH_BYTES = HASH_SIDE * HASH_SIDE // 8
THUMBNAIL_BYTES = THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3
FINGERPRINT_BYTES = HASH_BYTES + THUMBNAIL_BYTES
_PIXELS = THUMBNAIL_SIDE * THUMBNAIL_SIDE
# Of so many pairs the differences are some ten megabytes.
_PAIRS_AT_ONCE = 4096


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
    """Yield the pairs i < j of rows [N, FINGERPRINT_BYTES] that show the same picture, in order."""
    thumbnails = fingerprints[:, HASH_BYTES:]
    found = [
        some[_alike(thumbnails, some)]
        for pairs in near_hashes.near_pairs(fingerprints[:, :HASH_BYTES])
        for some in np.array_split(pairs, len(pairs) // _PAIRS_AT_ONCE + 1)
    ]
    together = np.concatenate([np.empty((0, 2), np.int64), *found])
    for i, j in together[np.lexsort((together[:, 1], together[:, 0]))]:
        yield int(i), int(j)


def _alike(thumbnails: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs of rows [P, 2] have thumbnails alike, [P]; exact, in whole numbers."""
    one, other = (_without_mean(thumbnails[pairs[:, side]]) for side in (0, 1))
    differences = np.abs(one - other).sum(axis=(1, 2))
    alike: NDArray[np.bool_] = differences <= MAX_THUMBNAIL_DIFFERENCE * THUMBNAIL_BYTES * _PIXELS
    return alike


def _without_mean(thumbnails: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return what each value differs from its channel's mean, times `_PIXELS`, [P, _PIXELS, 3]."""
    values = thumbnails.reshape(-1, _PIXELS, 3).astype(np.int32)
    centred: NDArray[np.int32] = values * _PIXELS - values.sum(axis=1, keepdims=True)
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
