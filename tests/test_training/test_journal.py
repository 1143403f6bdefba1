"""What a run tells: JSON lines for machines, a bar and lines for people."""

import io
import json
from pathlib import Path

from training.journal import EventFile, Journal, Terminal


def test_every_event_is_one_json_line(tmp_path: Path) -> None:
    """With its time; text of any alphabet stays readable."""
    journal = Journal(EventFile(tmp_path))
    journal.event("published", model="цветы@1")

    (line,) = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()

    assert json.loads(line).items() >= {"event": "published", "model": "цветы@1"}.items()
    assert "цветы" in line


def test_phases_are_timed_and_told(tmp_path: Path) -> None:
    """Start and end of each, in order."""
    journal = Journal(EventFile(tmp_path))
    with journal.phase("Looking"):
        journal.count(1, 2)
        journal.count(2, 2)

    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]

    assert events == ["phase started", "progress", "progress", "phase finished"]
    assert list(journal.phases_seconds) == ["Looking"]


def test_counts_are_not_told_too_often(tmp_path: Path) -> None:
    """A data set of a million pictures does not fill the disk with progress."""
    journal = Journal(EventFile(tmp_path))
    for done in range(1000):
        journal.count(done, 1000)

    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 1


def test_people_see_phases_and_warnings() -> None:
    """Square brackets in names are no markup."""
    stream = io.StringIO()
    journal = Journal(Terminal(stream))
    with journal.phase("Looking"):
        journal.count(1, 2)
        journal.event("warning", text="Set aside [bold]a.jpg: broken")

    assert stream.getvalue() == "Looking …\n  Set aside [bold]a.jpg: broken\nLooking: 0.0 s\n"
