"""Keeps programs running: labelled logs, restarts that are reported, a stop that leaves nothing.

Written here because no library does all three: honcho does not restart, circus and
supervisord need a control server and do not merge logs to a terminal.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic, sleep
from typing import IO

from petiole.output import Output, Welcome
from petiole.parts import ROOT, Part
from tasks import priority

POLL_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
CALM_SECONDS = 60.0
"""A part that ran this long is restarted without a longer pause."""

LAST_LINES = 5
"""Lines of a part's log that are shown when it fails."""

COLOURS = (36, 33, 32, 35, 34, 31)
PR_SET_PDEATHSIG = 1
# Found here and only called between fork and exec: loading takes locks, which another thread may
# have held in the moment of the fork.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class Console:
    """Writes whole lines of all parts, each with the part's name in front."""

    def __init__(self, names: Iterable[str], stream: IO[str] = sys.stdout) -> None:
        """Reserve the width of the longest name."""
        names = ["petiole", *names]
        self._width = max(map(len, names))
        self._stream = stream
        self._colours = dict(zip(names, COLOURS, strict=False)) if stream.isatty() else {}
        self._lock = Lock()

    def write(self, name: str, line: str) -> None:
        """Write one line of the part `name`."""
        label = f"{name:<{self._width}} |"
        if name in self._colours:
            label = f"\033[{self._colours[name]}m{label}\033[0m"
        with self._lock:
            print(label, line, file=self._stream, flush=True)

    def waiting(self, names: Sequence[str], reason: str) -> None:
        """Say nothing: the parts say what they do."""

    def ready(self, name: str, detail: str) -> None:
        """Say nothing: the parts say what they do."""

    def ended(self, name: str, sentence: str, last_lines: Sequence[str]) -> None:
        """Say that a part ended by itself; its last lines are written already."""
        self.write("petiole", sentence)

    def failed(self, name: str, last_lines: Sequence[str]) -> None:
        """Say nothing: its lines are written already."""

    def welcome(self, welcome: Welcome) -> None:
        """Say that the service is ready, and where it is."""
        rows = [("try", welcome.example), *welcome.addresses]
        width = max(len(name) for name, _ in rows)
        self.write("petiole", f"ready after {welcome.seconds:.1f} s")
        for name, value in rows:
            self.write("petiole", f"{name:<{width}}  {value}")
        for warning in welcome.warnings:
            self.write("petiole", warning)

    def stopping(self) -> None:
        """Say that every part is asked to end."""
        self.write("petiole", "stopping")

    def stopped(self) -> None:
        """Say that every part has ended."""
        self.write("petiole", "stopped")


@dataclass
class Running:
    """A part and the process that runs it now."""

    part: Part
    process: subprocess.Popen[str]
    started_at: float
    pause_seconds: float = FIRST_PAUSE_SECONDS
    restart_at: float | None = None
    restarts: int = field(default=0)
    ends_by: float = float("inf")
    """When a part that was asked to end is killed."""
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    """The last lines of its log that are not empty, over all its processes."""


class Supervisor:
    """Starts parts, restarts those that end by themselves, and stops all."""

    def __init__(self, console: Output, environment: Mapping[str, str]) -> None:
        """Start nothing yet."""
        self._console = console
        self._environment = environment
        self._running: dict[str, Running] = {}
        self._leaving: list[Running] = []
        self.hurry = False
        """Set to end a stop's patience: what still runs is killed."""

    def start(self, part: Part, *, name: str = "") -> None:
        """Start one part, under its own name or another one that tells two of its kind apart."""
        running = Running(part, self._spawn(part), monotonic())
        self._running[name or part.name] = running
        self._follow(running)

    def retire(self, name: str, *, timeout_seconds: float) -> None:
        """Ask a part to end and go on; `check` sees it off, or kills it after the timeout."""
        running = self._running.pop(name)
        running.ends_by = monotonic() + timeout_seconds
        _signal_process(running.process, signal.SIGTERM)
        self._leaving.append(running)

    def rename(self, name: str, to: str) -> None:
        """Let a part be known under another name from now on."""
        self._running[to] = self._running.pop(name)

    @property
    def is_seeing_off(self) -> bool:
        """Tell whether a retired part still runs."""
        return bool(self._leaving)

    def check(self) -> None:
        """Report parts that ended and restart those whose pause is over; call it often."""
        for leaving in list(self._leaving):
            self._see_off(leaving)
        for running in self._running.values():
            if running.restart_at is not None:
                self._restart_when_due(running)
            elif running.process.poll() is not None:
                self._report_end(running)

    def processes(self) -> dict[str, int]:
        """Return the process id of each part."""
        return {name: running.process.pid for name, running in self._running.items()}

    def restarts(self) -> dict[str, int]:
        """Return how often each part was restarted."""
        return {name: running.restarts for name, running in self._running.items()}

    def process_ids(self) -> dict[str, int]:
        """Return the id of each part's present process, by the part's name."""
        return {name: running.process.pid for name, running in self._running.items()}

    def last_lines(self, name: str) -> tuple[str, ...]:
        """Return the last lines that a part has logged; none of a part that does not run."""
        return tuple(self._running[name].last_lines) if name in self._running else ()

    def last_line(self, name: str) -> str:
        """Return the last line that a part has logged, empty when there is none."""
        return next(reversed(self.last_lines(name)), "").strip()

    def stop(self, names: Iterable[str], *, timeout_seconds: float) -> None:
        """End parts: SIGTERM, and SIGKILL for what is left of their process groups."""
        stopping = [self._running.pop(name) for name in names if name in self._running]
        stopping += self._leaving
        self._leaving = []
        for running in stopping:
            _signal_process(running.process, signal.SIGTERM)
        deadline = monotonic() + timeout_seconds
        while any(r.process.poll() is None for r in stopping):
            if self.hurry or monotonic() > deadline:
                break
            sleep(POLL_SECONDS)
        for running in stopping:
            self._bury(running)

    def _see_off(self, leaving: Running) -> None:
        if leaving.process.poll() is not None or monotonic() > leaving.ends_by:
            self._leaving.remove(leaving)
            self._bury(leaving)

    def _bury(self, running: Running) -> None:
        """Kill what is left of a part that was asked to end."""
        if running.process.poll() is None:
            self._console.write("petiole", f"{running.part.name} did not stop; killing it")
        _kill_group(running.process)
        running.process.wait()

    def _spawn(self, part: Part) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - the commands are our own, see `parts`
            part.command,
            cwd=ROOT,
            env={**part.environment, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=part.descriptors,
            # A group of its own: Ctrl-C reaches only us, and we can end its children too.
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - one prctl call, no lock is taken
        )
        if part.waits_for_a_core:
            priority.wait_for_a_core(process.pid)
        return process

    def _follow(self, running: Running) -> None:
        Thread(target=self._relay, args=(running, running.process), daemon=True).start()

    def _relay(self, running: Running, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
        with process.stdout as log:
            for line in log:
                self._console.write(running.part.name, line.rstrip("\n"))
                if line.strip():
                    running.last_lines.append(line.rstrip())

    def _report_end(self, running: Running) -> None:
        _kill_group(running.process)
        if monotonic() - running.started_at > CALM_SECONDS:
            running.pause_seconds = FIRST_PAUSE_SECONDS
        end = _ending(running.process.returncode)
        message = f"{running.part.name} {end}; starting it again in {running.pause_seconds:g} s"
        self._console.ended(running.part.name, message, tuple(running.last_lines))
        running.restart_at = monotonic() + running.pause_seconds
        running.pause_seconds = min(running.pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def _restart_when_due(self, running: Running) -> None:
        if running.restart_at is None or monotonic() < running.restart_at:
            return
        running.process = self._spawn(running.part)
        self._follow(running)
        running.started_at, running.restart_at = monotonic(), None
        running.restarts += 1
        self._console.write("petiole", f"{running.part.name} started again")


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _end_with_parent() -> None:
    """Ask Linux to end this child when its parent dies, even by SIGKILL."""
    if _PRCTL is not None:
        _PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_process(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _kill_group(process: subprocess.Popen[str]) -> None:
    """Kill what is left of the process's group: a crashed parent's children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        # Nothing was left.
        return
