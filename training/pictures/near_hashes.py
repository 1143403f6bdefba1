"""Which of many hashes of 64 bits differ in few of them: all such pairs, without comparing all.

The bits are dealt out to four bands of 16. Two hashes that differ in at most 10 bits differ in at
most 2 of one of the first three bands, or in at most 1 of the last: else it would be 3 + 3 + 3 + 2.
So each hash is compared with those alone that have a band like its own, and no pair is missed.

Source: multi-index hashing, Norouzi, Punjani and Fleet 2012, with its radii spread unevenly.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

MAX_DIFFERENT_BITS = 10
RADII = (2, 2, 2, 1)
"""How many bits of each band may differ; one more in each is more than `MAX_DIFFERENT_BITS`."""

BANDS, BAND_BITS = len(RADII), 16
# Of so many the pairs that are compared at once stay within a few megabytes.
_PAIRS_AT_ONCE = 262_144

Pairs = NDArray[np.int64]


def near_pairs(hashes: NDArray[np.uint8]) -> Iterator[Pairs]:
    """Yield the pairs of rows [N, 8] that differ in at most `MAX_DIFFERENT_BITS`, [P, 2].

    Each pair comes once, the smaller row first; the order is none.
    """
    dealt = _dealt(hashes)
    for band in range(BANDS):
        yield from _alike_in(dealt, band)


def _dealt(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the hashes with every fourth bit in one band, [N].

    Neighbouring bits are often equal; beside each other they would leave most bands alike.
    """
    bits = np.unpackbits(hashes, axis=1).reshape(-1, BAND_BITS, BANDS)
    packed = np.packbits(bits.transpose(0, 2, 1).reshape(len(hashes), BANDS * BAND_BITS), axis=1)
    return packed.view(np.uint64).ravel()


def _alike_in(dealt: NDArray[np.uint64], band: int) -> Iterator[Pairs]:
    """Yield the near pairs that are alike in a band, and in none before it."""
    values = dealt.view(np.uint16).reshape(-1, BANDS)[:, band].astype(np.int64)
    order = np.argsort(values, kind="stable")
    hashes, values = dealt[order], values[order]
    starts = np.searchsorted(values, np.arange(2**BAND_BITS + 1))
    for mask in _masks(RADII[band]):
        for left, right in _candidates(values, starts, mask):
            differing = hashes[left] ^ hashes[right]
            near = np.bitwise_count(differing) <= MAX_DIFFERENT_BITS
            near[near] = _is_first(differing[near], band)
            if near.any():
                pairs = np.stack([order[left[near]], order[right[near]]], axis=1)
                yield np.sort(pairs, axis=1)


def _masks(radius: int) -> list[int]:
    """Return every way in which a band may differ, as the bits that do."""
    chosen = (bits for n in range(radius + 1) for bits in combinations(range(BAND_BITS), n))
    return [sum(1 << bit for bit in bits) for bits in chosen]


def _candidates(
    values: NDArray[np.int64], starts: NDArray[np.int64], mask: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the pairs of places whose values differ in just these bits, each pair once.

    Args:
        values: Sorted, [N].
        starts: The first place of each value, and N.
        mask: The bits.
    """
    places = np.arange(len(values))
    partners = values ^ mask
    first = starts[partners] if mask else places + 1
    n = np.where(values <= partners, starts[partners + 1] - first, 0)
    ends = np.cumsum(n)
    at = 0
    while at < len(places):
        upto = np.searchsorted(ends, (ends[at - 1] if at else 0) + _PAIRS_AT_ONCE, "right")
        some = slice(at, max(int(upto), at + 1))
        left = np.repeat(places[some], n[some])
        begins = np.repeat(first[some] - (ends[some] - n[some]), n[some])
        yield left, begins + np.arange(ends[some][-1] - len(left), ends[some][-1])
        at = some.stop


def _is_first(differing: NDArray[np.uint64], band: int) -> NDArray[np.bool_]:
    """Return which pairs are alike in no band before this one, where they came already."""
    counts = np.bitwise_count(differing.view(np.uint16).reshape(-1, BANDS)[:, :band])
    different = np.asarray((counts > np.array(RADII[:band])).all(axis=1))
    return different
