"""How sure a share is that was seen on a few pictures; without NumPy, as verdicts need it.

Source: Wilson 1927, the score interval, one-sided at 95 %.
"""

import math

# The quantile of the normal distribution at 0.95.
_Z = 1.6449


def lower_bound(share: float, n: int) -> float:
    """Return what a share that was seen on `n` pictures is at least, with 95 % certainty."""
    return _bound(share, n, -1)


def upper_bound(share: float, n: int) -> float:
    """Return what a share that was seen on `n` pictures is at most, with 95 % certainty."""
    return _bound(share, n, 1)


def _bound(share: float, n: int, side: int) -> float:
    centre = share + _Z**2 / (2 * n)
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return (centre + side * spread) / (1 + _Z**2 / n)
