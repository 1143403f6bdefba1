"""The tables of the smaller measurements, from figures that are given."""

from benchmarks import accept, cache, depth, scale
from benchmarks.depth import Cost, Costs
from benchmarks.measurements import LoadResult


def test_a_202_is_compared_with_calm_of_the_same_round() -> None:
    """A machine that was slower in one round is so in both rows."""
    calm, busy = [[2.0] * 9, [4.0] * 9], [[3.0] * 9, [12.0] * 9]
    text = accept.markdown({accept.CALM: calm, accept.SATURATED: busy}, "pictures")

    assert "| 18 | 3.0 | 4.0 | 1.0 (1.0 to 1.0) |" in text
    assert "| 18 | 7.5 | 12.0 | 2.2 (1.5 to 3.0) |" in text


def test_a_deep_queue_is_compared_with_an_empty_one() -> None:
    """Each figure has its ratio to the first row's."""
    shallow = Costs(0, Cost(1.0, 2.0), Cost(0.5, 0.5), Cost(4.0, 8.0), 3.0)
    deep = Costs(1000, Cost(1.5, 2.0), Cost(0.5, 1.0), Cost(4.0, 16.0), 9.0)
    text = depth.markdown([shallow, deep])

    assert "| 1,000 | 1.50 (1.50) | 2.00 (1.00) | 0.50 (1.00) | 1.00 (2.00) |" in text
    assert "| 4.00 (1.00) | 16.00 (2.00) | 9 |" in text


def test_children_are_compared_with_one_child_and_with_the_bare_loop() -> None:
    """Where there are no hosts, the table says why."""
    one = [LoadResult(50, 0, 1.0, 300.0, 400.0)]
    two = [LoadResult(90, 1, 1.0, 170.0, 200.0)]
    found = {"children: 1": one, "children: 2": two}
    text = scale.markdown([180.0], found, what="pictures", reason="no command `ip`")

    assert "| children: 2 | 90.0 | 1.80 | 0.50 | 170 | 1 |" in text
    assert text.endswith("No hosts: no command `ip`.")


def test_a_known_picture_is_shown_beside_a_new_one() -> None:
    """The CPU of all processes, and of each role; medians of the rounds."""
    known = cache.Seen({"api child": [1.0, 2.0, 9.0], "redis": [0.5, 0.5, 0.5]}, [2.0] * 9, 9)
    new = cache.Seen({"worker": [1.0], "worker child": [9.0], "redis": [1.0]}, [12.0] * 9, 0)
    text = cache.markdown({cache.HIT: known, cache.MISS: new}, "pictures")

    assert "| known | 2.50 | 2.00 | 0.50 | 0.00 | 2.0 | 2.0 | 9 of 9 |" in text
    assert "| new | 11.00 | 0.00 | 1.00 | 10.00 | 12.0 | 12.0 | 0 of 9 |" in text
