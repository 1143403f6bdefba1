"""A program on a terminal of its own, as a person has it: what it shows, and keys for it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from threading import Thread

ROWS, COLUMNS = 40, 100
WAIT_SECONDS = 60.0
CTRL_C = b"\x03"
# In an interpreter of its own: the suite's has libraries whose threads do not outlive a fork, so no
# line of ours may run between fork and exec. A suite in the background of a shell hears no Ctrl-C,
# and hands that on.
ON_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WHEEL = re.compile(r"^[⠀-⣿] ")


class Terminal:
    """A program whose input and output are a terminal."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: Path) -> None:
        """Start the program in a directory."""
        self._descriptor, end = pty.openpty()
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, size)
        self._program = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, *command],
            cwd=directory,
            env=environment | {"TERM": "xterm-256color"},
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
        os.close(end)
        self._written = b""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                some = os.read(self._descriptor, 65536)
            except OSError:
                return  # Linux' way of saying that nobody has the terminal open any more.
            if not some:
                return
            self._written += some

    def press(self, keys: bytes) -> None:
        """Type on its keyboard."""
        os.write(self._descriptor, keys)

    @property
    def lines(self) -> list[str]:
        """What stays on the screen, without colours, wheels and empty lines."""
        text = self._written.decode(errors="ignore")
        last = (line.rpartition("\x1b[2K")[2] for line in text.split("\n"))
        bare = [SEQUENCE.sub("", line).replace("\r", "").rstrip() for line in last]
        return [line for line in bare if line and not WHEEL.match(line)]

    def wait(self) -> int:
        """Return the exit code once the program has ended, and everything that it wrote is read."""
        try:
            code = self._program.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._program.kill()
            code = self._program.wait()
        self._reader.join(timeout=10)
        return code
