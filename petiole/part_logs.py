"""The log of each part as a file, `log/<part>.log` in the state directory.

A start begins new files and keeps those of the one before as `<part>.log.1`; so does a file that
has reached `MAX_BYTES`. They therefore never take more than twice that for each part.
"""

import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from petiole.output import OURS, Output, Welcome

DIRECTORY = "log"
MAX_BYTES = 5_000_000


def directory_of(state_directory: Path) -> Path:
    """Return where the logs of a service are, by its state directory."""
    return state_directory / DIRECTORY


def path_of(directory: Path, name: str) -> Path:
    """Return the log of a part."""
    return directory / f"{name}.log"


def names(directory: Path) -> list[str]:
    """Return the parts that have a log here."""
    return sorted(path.stem for path in directory.glob("*.log"))


class PartLogs:
    """The files of the parts, open for what they say from now on."""

    def __init__(self, directory: Path, names: Sequence[str]) -> None:
        """Begin a new file for each part.

        Raises:
            OSError: the directory or a file cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._files = {name: _File(path_of(directory, name)) for name in (OURS, *names)}

    def write(self, name: str, line: str) -> None:
        """Add one line to the log of a part; only our own have no time of their own."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        text = f"{now} {line}" if name == OURS else line
        self._files[name].emit(logging.makeLogRecord({"msg": text}))

    def close(self) -> None:
        """Close the files; what a full disk does not take was said before."""
        for file in self._files.values():
            with suppress(OSError):
                file.close()


class _File(RotatingFileHandler):
    """A log whose full disk neither ends nor holds up the part that writes it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8", errors="replace"
        )
        self._failed = False
        if path.stat().st_size:
            self.doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not self._failed:
            self._failed = True
            print(f"petiole: {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)  # noqa: T201


class Recorded:
    """An output whose every line is also kept in the logs of the parts.

    A terminal that was closed, or a pipe that nobody reads any more, holds up no part and no stop.
    """

    def __init__(self, output: Output, logs: PartLogs) -> None:
        """Hand everything on to `output`."""
        self._output, self._logs = output, logs

    def write(self, name: str, line: str) -> None:
        """Keep the line and hand it on."""
        self._logs.write(name, line)
        with suppress(OSError):
            self._output.write(name, line)

    def waiting(self, names: Sequence[str], reason: str) -> None:
        """Hand it on: nothing has happened yet."""
        with suppress(OSError):
            self._output.waiting(names, reason)

    def ready(self, name: str, detail: str) -> None:
        """Keep it and hand it on."""
        self._logs.write(OURS, f"{name} is ready {detail}".rstrip())
        with suppress(OSError):
            self._output.ready(name, detail)

    def ended(self, name: str, sentence: str, last_lines: Sequence[str]) -> None:
        """Keep it and hand it on."""
        self._logs.write(OURS, sentence)
        with suppress(OSError):
            self._output.ended(name, sentence, last_lines)

    def failed(self, name: str, last_lines: Sequence[str]) -> None:
        """Keep it and hand it on."""
        self._logs.write(OURS, f"{name} is not ready")
        with suppress(OSError):
            self._output.failed(name, last_lines)

    def welcome(self, welcome: Welcome) -> None:
        """Keep it and hand it on."""
        self._logs.write(OURS, f"ready after {welcome.seconds:.1f} s")
        with suppress(OSError):
            self._output.welcome(welcome)

    def stopping(self) -> None:
        """Keep it and hand it on."""
        self._logs.write(OURS, "stopping")
        with suppress(OSError):
            self._output.stopping()

    def stopped(self) -> None:
        """Keep it and hand it on."""
        self._logs.write(OURS, "stopped")
        with suppress(OSError):
            self._output.stopped()
