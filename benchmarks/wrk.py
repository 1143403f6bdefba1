"""The load generator: wrk, which sends pictures in turn and waits for each answer."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from json import loads
from pathlib import Path

from benchmarks.measurements import LoadResult

SCRIPT = Path(__file__).parent / "post.lua"
BODY = "-"
"""Stands for a form's field where the picture is the body."""


def demand() -> None:
    """End the program where wrk is missing, and say how to get it."""
    if shutil.which("wrk") is None:
        sys.exit("this measurement needs wrk (Debian: apt-get install wrk)")


def send(
    url: str,
    images: Sequence[Path],
    *,
    connections: int,
    seconds: float,
    field: str = BODY,
    before: Sequence[str] = (),
) -> LoadResult:
    """Send pictures over `connections` for `seconds`; as the body, or as a form's `field`.

    `before` has the words that run a command elsewhere, as on another host.
    """
    command = [
        *before,
        *("wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s"),
        *("-s", str(SCRIPT), url, "--", field, *map(str, images)),
    ]
    output = subprocess.check_output(command, text=True)  # noqa: S603 - our own arguments
    (line,) = [line for line in output.splitlines() if line.startswith("RESULT ")]
    return LoadResult(**loads(line.removeprefix("RESULT ")))
