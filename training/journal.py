"""What a run tells while it goes: a bar for people, one JSON line an event for machines."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
)

from training import time_left
from training.time_left import Pace

logger = logging.getLogger(__name__)

EVENTS = "events.jsonl"

# Counts are told to machines no more often than this, else they are most of the file.
SECONDS_BETWEEN_COUNTS = 2.0

Advance = Callable[[int, int], None]
"""Called with how much is done and how much there is to do."""


class Listener(Protocol):
    """Someone who wants to know how a run goes."""

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Take note of one event; its fields are plain JSON values."""
        ...


class Journal:
    """Tells all listeners what happens, and remembers how long each phase took."""

    def __init__(self, *listeners: Listener) -> None:
        """Tell these listeners."""
        self._listeners = list(listeners)
        self._phase = ""
        self._counted_at = 0.0
        self._pace: Pace | None = None
        self.phases_seconds: dict[str, float] = {}

    def listen(self, listener: Listener) -> None:
        """Tell one more listener from now on."""
        self._listeners.append(listener)

    def event(self, name: str, **fields: Any) -> None:
        """Tell everyone about one event."""
        logger.debug("training event", extra={"event": name})
        for listener in self._listeners:
            listener.event(name, fields)

    def note(self, text: str) -> None:
        """Tell everyone a sentence."""
        self.event("note", text=text)

    def count(self, done: int, total: int) -> None:
        """Tell how much of the phase is done, and how long the rest of it takes."""
        now = time.monotonic()
        self._pace = self._pace or Pace(now, done)
        if done >= total or now - self._counted_at >= SECONDS_BETWEEN_COUNTS:
            self._counted_at = now
            seconds = self._pace.seconds_left(done, total, now=now)
            rounded = None if seconds is None else round(seconds, 1)
            self.event("progress", phase=self._phase, done=done, total=total, seconds_left=rounded)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Tell when a phase begins and ends; a second one of the same name adds to its time."""
        self._phase, started, self._pace = name, time.monotonic(), None
        self.event("phase started", phase=name)
        yield
        seconds = self.phases_seconds.get(name, 0.0) + time.monotonic() - started
        self.phases_seconds[name] = round(seconds, 3)
        self.event("phase finished", phase=name, seconds=self.phases_seconds[name])


class EventFile:
    """Appends each event to `events.jsonl` as one JSON object with the time."""

    def __init__(self, directory: Path) -> None:
        """Write into `directory`, which is made."""
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / EVENTS

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Write one line; it is on its way to the disk when this returns."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "event": name, **fields}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(line + "\n")


class Terminal:
    """Shows phases, notes and a bar on a text stream."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._console = Console(file=stream, highlight=False, markup=False)
        left = TextColumn("{task.description}")
        columns = (TextColumn("  "), BarColumn(), MofNCompleteColumn(), left)
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._bar: TaskID | None = None

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Show what a person wants to see of an event."""
        if name == "progress":
            left = time_left.in_words(fields["seconds_left"])
            self._count(int(fields["done"]), int(fields["total"]), left)
            return
        self._stop()
        if name == "phase started":
            self._console.print(f"{fields['phase']} …")
        elif name == "phase finished":
            self._console.print(f"{fields['phase']}: {fields['seconds']:.1f} s")
        elif name in {"note", "warning"}:
            self._console.print(f"  {fields['text']}")

    def _count(self, done: int, total: int, left: str) -> None:
        if not self._console.is_terminal:
            return
        if self._bar is None:
            self._progress.start()
            self._bar = self._progress.add_task("", total=total)
        self._progress.update(self._bar, completed=done, total=total, description=left)

    def _stop(self) -> None:
        if self._bar is not None:
            self._progress.stop()
            self._progress.remove_task(self._bar)
            self._bar = None
