"""Clocks that go wrong: one program of the service believes that it is later than it is.

Linux has no namespace for the clock of the day, so Python's own is moved when the interpreter
starts, by the module that Python runs then.
"""

from pathlib import Path

AHEAD = "CHAOS_CLOCK_AHEAD_SECONDS"
SITECUSTOMIZE = f"""
import os, time

ahead, right = float(os.environ.get("{AHEAD}", "0")), time.time
if ahead:
    time.time = lambda: right() + ahead
"""


def register(directory: Path) -> None:
    """Make `directory`, once it is in PYTHONPATH, a place from where clocks are moved."""
    (directory / "sitecustomize.py").write_text(SITECUSTOMIZE)
