"""What a soak says of memory, descriptors, connections and keys."""

import pytest

from chaos.soak import MAY_GROW, SHARE_COMPARED, Sample, growth

FLAT = dict.fromkeys(MAY_GROW, 100.0)


@pytest.mark.parametrize("name", MAY_GROW)
def test_what_grows_without_end_is_named(name: str) -> None:
    """Each measure by itself."""
    samples = [Sample({**FLAT, name: 100.0 + 5 * n}) for n in range(40)]

    assert [f"{name} grew from 122 to 272"] == growth(samples)


def test_what_stays_is_flat() -> None:
    """Noise around the same height is no growth."""
    samples = [Sample({name: 100.0 + n % 5 for name in MAY_GROW}) for n in range(40)]

    assert growth(samples) == []


def test_a_soak_that_is_too_short_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that have not yet had the time to expire are no growth, and no proof of none."""
    samples = [Sample(dict.fromkeys(MAY_GROW, 100.0 * n)) for n in range(1, SHARE_COMPARED)]

    assert growth(samples) == []
    assert "growth is not judged: 3 samples" in capsys.readouterr().err
