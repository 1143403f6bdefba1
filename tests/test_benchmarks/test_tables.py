"""The tables of the smaller measurements, from figures that are given."""

import numpy as np

from benchmarks import accept, cache, depth, int8, keys, scale
from benchmarks.depth import Cost, Costs
from benchmarks.measurements import LoadResult
from model_store.fingerprints import Sameness
from tests import saturating


def test_a_202_is_compared_with_calm_of_the_same_round() -> None:
    """A machine that was slower in one round is so in both rows."""
    calm, busy = [[2.0] * 9, [4.0] * 9], [[3.0] * 9, [12.0] * 9]
    text = accept.markdown({accept.CALM: calm, accept.SATURATED: busy}, "pictures")

    assert "| 18 | 3.0 | 4.0 | 1.0 (1.0 to 1.0) |" in text
    assert "| 18 | 7.5 | 12.0 | 2.2 (1.5 to 3.0) |" in text


def test_a_deep_queue_is_compared_with_an_empty_one() -> None:
    """Each figure has its ratio to the first row's."""
    first, then = depth.Used(1.0, 0.5), depth.Used(5.0, 1.5)
    drain = then.since(first, jobs=1000, clock_ms=8.0)
    shallow = Costs(0, Cost(1.0, 0.2, 2.0), Cost(0.5, 0.1, 0.5), drain, 3.0)
    deep = Costs(1000, Cost(1.5, 0.2, 2.0), Cost(0.5, 0.1, 1.0), Cost(4.0, 1.2, 16.0), 9.0)
    text = depth.markdown([shallow, deep])

    assert "| 1,000 | 1.50 (1.50) | 2.00 (1.00) | 0.50 (1.00) | 1.00 (2.00) |" in text
    assert "| 4.00 (1.00) | 1.20 (1.20) | 16.00 (2.00) | 9 |" in text


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


def test_a_picture_with_a_key_is_shown_beside_one_without() -> None:
    """Nothing is said of hits."""
    plain = cache.Seen({"api": [1.0], "redis": [0.5]}, [2.0] * 9)
    keyed = cache.Seen({"api": [1.25], "redis": [0.75]}, [3.0] * 9)
    text = keys.markdown({keys.WITHOUT: plain, keys.WITH: keyed}, "pictures")

    assert "| a key is shown | 2.00 | 1.25 | 0.75 | 0.00 | 3.0 | 3.0 |\n" in f"{text}\n"
    assert "hits" not in text


def test_int8_on_two_kinds_of_cpu_is_compared_with_float32() -> None:
    """Top-1 is of the photographs whose class is known; LiteRT cannot be limited."""
    truth = np.array([0, 1, -1, -1])
    float32 = int8.Answers(np.array([0, 1, 2, 3]), Sameness(64, 1.0, 0.0), 14.0)
    off = int8.Answers(np.array([0, 2, 2, 3]), Sameness(64, 0.5, 0.7), 7.0)
    names = ("openvino:float32", "litert:float32", "litert:int8")
    found = {limit: {**dict.fromkeys(names, float32), "DISABLE": off} for limit in int8.LIMITS}
    text = int8.markdown(saturating.card(), found, truth)

    assert "| none | AVX2 alone | 0.750 | 0.500 | 0.500 | 0.700 | 7.0 |" in text
    assert text.count("| litert int8 |") == 1
    assert "4 photographs, top-1 of the 2 whose class is known" in text
