"""Finding look-alikes without comparing all: the same pairs as if all were compared."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.pictures import fingerprints, near_hashes

BITS = st.sets(st.integers(0, 63), max_size=13)
Pair = tuple[int, int]


def hashes_of(numbers: list[int]) -> NDArray[np.uint8]:
    """Return numbers of 64 bits as rows of bytes."""
    return np.array([list(n.to_bytes(8, "big")) for n in numbers], np.uint8).reshape(-1, 8)


def found_in(numbers: list[int]) -> list[Pair]:
    """Return the near pairs, sorted."""
    parts = near_hashes.near_pairs(hashes_of(numbers))
    return sorted((int(i), int(j)) for part in parts for i, j in part)


def all_compared(numbers: list[int]) -> list[Pair]:
    """Return the same by comparing every two."""
    pairs = [(i, j) for j in range(len(numbers)) for i in range(j)]
    return sorted(
        (i, j)
        for i, j in pairs
        if (numbers[i] ^ numbers[j]).bit_count() <= near_hashes.MAX_DIFFERENT_BITS
    )


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), BITS), max_size=30),
)
def test_the_same_pairs_as_if_all_were_compared(
    originals: list[int], copies: list[tuple[int, set[int]]]
) -> None:
    """Each once, whatever differs; many of the copies differ in about as much as may differ."""
    changed = [
        originals[which % len(originals)] ^ sum(1 << bit for bit in bits) for which, bits in copies
    ]
    numbers = [*originals, *changed]

    assert found_in(numbers) == all_compared(numbers)


def test_no_way_to_spread_ten_bits_over_the_bands_is_missed() -> None:
    """Ten or nine are found and eleven not, however they fall into the four bands."""
    spreads = [each for each in product(range(12), repeat=4) if 9 <= sum(each) <= 11]
    rng = np.random.default_rng(5)
    numbers = []
    for spread in spreads:
        chosen = [rng.choice(16, n, replace=False) * 4 + band for band, n in enumerate(spread)]
        number = int(rng.integers(2**63))
        numbers += [number, number ^ sum(1 << int(bit) for bits in chosen for bit in bits)]

    near = [2 * n for n, spread in enumerate(spreads) if sum(spread) <= 10]
    assert found_in(numbers) == [(i, i + 1) for i in near]


def test_few_are_compared() -> None:
    """Of 20,000 hashes less than a hundredth of all pairs."""
    n = 20_000
    dealt = near_hashes._dealt(np.random.default_rng(6).integers(0, 256, (n, 8), np.uint8))
    compared = 0
    for band, radius in enumerate(near_hashes.RADII):
        values = np.sort(dealt.view(np.uint16).reshape(n, -1)[:, band].astype(np.int64))
        starts = np.searchsorted(values, np.arange(2**16 + 1))
        for mask in near_hashes._masks(radius):
            parts = near_hashes._candidates(values, starts, mask)
            compared += sum(len(left) for left, _ in parts)

    assert 0 < compared < n * (n - 1) / 2 / 100


def test_more_pairs_than_are_looked_at_at_once_are_all_found() -> None:
    """A set of one picture saved again and again is the worst there is."""
    n = 800

    assert found_in([7] * n) == [(i, j) for i in range(n) for j in range(i + 1, n)]


def drawn(n: int) -> NDArray[np.uint8]:
    """Return fingerprints of which many are near in both ways, in one, or in none."""
    rng = np.random.default_rng(8)
    rows = rng.integers(0, 256, (n, fingerprints.FINGERPRINT_BYTES), np.uint8)
    rows[:, : fingerprints.HASH_BYTES] = rows[rng.integers(0, 9, n), : fingerprints.HASH_BYTES]
    rows[:, fingerprints.HASH_BYTES :] = rows[rng.integers(0, 9, n), fingerprints.HASH_BYTES :]
    noise = rng.integers(0, 15, (n, fingerprints.THUMBNAIL_BYTES)) * rng.integers(0, 4, (n, 1))
    noisy = rows[:, fingerprints.HASH_BYTES :].astype(int) + noise
    rows[:, fingerprints.HASH_BYTES :] = noisy.clip(0, 255)
    return rows


def looks_the_same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Compare two fingerprints as the constants say it, in floating point."""
    bits = np.unpackbits(one[: fingerprints.HASH_BYTES] ^ other[: fingerprints.HASH_BYTES]).sum()
    first, second = (
        each[fingerprints.HASH_BYTES :].reshape(-1, 3).astype(float) for each in (one, other)
    )
    difference = np.abs((first - first.mean(axis=0)) - (second - second.mean(axis=0))).mean()
    return bool(
        bits <= near_hashes.MAX_DIFFERENT_BITS
        and difference <= fingerprints.MAX_THUMBNAIL_DIFFERENCE
    )


def test_thumbnails_confirm_and_the_order_is_that_of_the_pictures() -> None:
    """Pairs come sorted, so that what is told of a set does not depend on how they were found."""
    rows = drawn(150)
    expected = [
        (i, j) for i in range(150) for j in range(i + 1, 150) if looks_the_same(rows[i], rows[j])
    ]

    assert list(fingerprints.near_duplicates(rows)) == expected
    assert 20 < len(expected) < 5000


def test_nothing_has_no_look_alikes() -> None:
    """Nor has one alone."""
    for n in (0, 1):
        rows = np.zeros((n, fingerprints.FINGERPRINT_BYTES), np.uint8)
        assert list(fingerprints.near_duplicates(rows)) == []
