"""The time that a phase still takes: from the work of this run, and not before that tells."""

import json
from pathlib import Path

import pytest

from training import time_left
from training.journal import EventFile, Journal
from training.time_left import Pace


def test_what_was_kept_and_the_warm_up_are_no_pace() -> None:
    """900 of 1000 were there at once, the next 20 came with a warm-up of 30 s, 40 more in 10 s."""
    pace = Pace(since=100.0, done_before=900)
    first = pace.seconds_left(920, 1000, now=130.0)

    assert first is None
    assert pace.seconds_left(960, 1000, now=140.0) == pytest.approx(10.0)


def test_nothing_is_said_after_a_moment() -> None:
    """Two parts that were under way together are no rate."""
    pace = Pace(since=100.0, done_before=0)

    assert [pace.seconds_left(n, 9, now=100.0 + n) for n in (0, 1, 2)] == [None] * 3


def test_an_even_pace_is_foretold_to_the_second() -> None:
    """Whenever it is asked after the warm-up."""
    pace = Pace(since=0.0, done_before=0)
    pace.seconds_left(1, 60, now=1.0)
    said = [now + (pace.seconds_left(int(now), 60, now=now) or 0) for now in (5.0, 20.0, 59.0)]

    assert said == pytest.approx([60.0] * 3)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.0, "some seconds left"),
        (12.0, "about 10 s left"),
        (89.0, "about 90 s left"),
        (100.0, "about 2 min left"),
        (3000.0, "about 50 min left"),
    ],
)
def test_no_more_digits_than_are_known(seconds: float | None, words: str) -> None:
    """Nobody can tell 11 s from 12 s."""
    assert time_left.in_words(seconds) == words


def test_each_phase_has_its_own_pace(tmp_path: Path) -> None:
    """The first count of a phase tells nothing yet, whatever the one before it took."""
    journal = Journal(EventFile(tmp_path))
    for name in ("Looking", "Computing features"):
        with journal.phase(name):
            journal.count(2, 2)

    events = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
    counts = [event for event in events if event["event"] == "progress"]
    assert [count["seconds_left"] for count in counts] == [None, None]
