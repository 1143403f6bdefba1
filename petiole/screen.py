"""What `petiole up` shows on a terminal: a tick for each part, a box, and what must be known.

All else that the parts say is in their logs. An error that a part logs is shown, once a minute at
most for each kind, so that a broken store does not bury everything under one line.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from time import monotonic

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.status import Status
from rich.table import Table
from rich.text import Text

from model_store import command_line
from petiole.output import OURS, Welcome
from petiole.part_logs import path_of

SAID_AGAIN_SECONDS = 60.0
NAME_WIDTH = 10

ERROR = re.compile(
    r"""^(?:
        \S+Z\ \[(?:error|critical)\s*\]\ (?P<console>.+)          # our own, for people
        | (?=\{.*"level":\ "(?:error|critical)")(?P<json>.+)      # our own, for machines
        | \[[^]]+\]\ \[\d+\]\ \[(?:ERROR|CRITICAL)\]\ (?P<gunicorn>.+)
        | \[[EC]\ \d{6}\ [^]]+\]\ (?P<flower>.+)                  # Tornado's format
    )$""",
    re.VERBOSE,
)
"""A line that says an error, in the format of the part that said it."""

FIELDS = re.compile(r"\s+\[[\w.]+\]\s.*|\d+")
"""What differs between two lines about the same thing."""


class Screen:
    """The terminal of a person who runs the service."""

    def __init__(self, console: Console, logs: Path) -> None:
        """Show on `console`; `logs` is where everything is kept."""
        self._console, self._logs = console, logs
        self._status: Status | None = None
        self._said: dict[tuple[str, str], float] = {}
        self._lock = Lock()
        self._was_ready = False

    def write(self, name: str, line: str) -> None:
        """Show our own lines, and errors of the parts."""
        if name == OURS:
            self._print(f"  [dim]·[/] {escape(line)}")
        elif (error := _error_in(line)) and self._is_new(name, error):
            self._print(f"  [yellow]![/] {name:<{NAME_WIDTH}} {escape(error)}")

    def waiting(self, names: Sequence[str], reason: str) -> None:
        """Turn a wheel beside the parts that are awaited."""
        if not names:
            self._rest()
            return
        # What the API says of itself while nothing listens yet is no news.
        why = "" if "gives no answer" in reason else reason.removeprefix("missing: ")
        said = f"[dim]{escape(', '.join(names))}{escape(f': {why}' if why else '')}[/]"
        if self._status is None:
            self._status = self._console.status(said, spinner="dots")
            self._status.start()
        self._status.update(said)

    def ready(self, name: str, detail: str) -> None:
        """Tick a part off."""
        self._print(f"  [green]✓[/] {name:<{NAME_WIDTH}} [dim]{escape(detail)}[/]".rstrip())

    def ended(self, name: str, sentence: str, last_lines: Sequence[str]) -> None:
        """Say it, with the end of the part's log and where the rest is."""
        self._print(f"  [yellow]![/] {escape(sentence)}")
        self._show_end(name, last_lines)

    def failed(self, name: str, last_lines: Sequence[str]) -> None:
        """Cross a part out, with the end of its log, where the rest is, and who looks further."""
        self._rest()
        self._print(f"  [red]✗[/] {name}")
        self._show_end(name, last_lines)
        self._print(f"      what may be wrong: {escape(command_line.command('doctor'))}")

    def welcome(self, welcome: Welcome) -> None:
        """Show the box; nothing comes after it while all is well."""
        self._rest()
        self._was_ready = True
        for warning in welcome.warnings:
            self._print(f"  [yellow]![/] {escape(warning)}")
        self._console.print()
        self._print(f"  [dim]try[/]  {escape(welcome.example)}")
        self._console.print()
        self._console.print(_box(welcome))

    def stopping(self) -> None:
        """Turn a wheel until every part has ended."""
        self._rest()
        self._status = self._console.status("[dim]stopping[/]", spinner="dots")
        self._status.start()

    def stopped(self) -> None:
        """Say so of a service that was ready; of another one its error is said."""
        self._rest()
        if self._was_ready:
            again = command_line.command("up")
            self._print(f"  [green]✓[/] stopped [dim]what waits is kept; start again: {again}[/]")

    def _rest(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _print(self, markup: str) -> None:
        self._console.print(markup, highlight=False, soft_wrap=True)

    def _show_end(self, name: str, last_lines: Sequence[str]) -> None:
        for line in last_lines:
            self._print(f"      [dim]{escape(line)}[/]")
        log = command_line.here(path_of(self._logs, name))
        self._print(f"      all of it: {escape(log)}")

    def _is_new(self, name: str, error: str) -> bool:
        """Tell whether such an error was not said within the last minute."""
        key, now = (name, FIELDS.sub("", error)), monotonic()
        with self._lock:
            last, self._said[key] = self._said.get(key, float("-inf")), now
        return now - last >= SAID_AGAIN_SECONDS


def _error_in(line: str) -> str:
    found = ERROR.match(line)
    return next(filter(None, found.groups()), "") if found else ""


def _box(welcome: Welcome) -> Panel:
    grid = Table.grid(padding=(0, 2))
    for name, value in welcome.addresses:
        grid.add_row(Text(name, style="dim"), Text(value))
    title = f"[bold green]ready[/] [dim]after {welcome.seconds:.1f} s[/]"
    return Panel(
        Group(grid), box=box.ROUNDED, title=title, title_align="left", expand=False, padding=(0, 2)
    )
