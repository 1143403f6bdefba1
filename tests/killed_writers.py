"""Programs of the model store as processes of their own, killed before or after any write."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# A program waits for a line on stdin, and counts its writes from then on.
KILLER = """
import os, signal, sys

writes = 0
kill_at = sys.argv.pop()

def kill_at_write(frame, event, function):
    # Called by the interpreter before (c_call) and after (c_return) each function written in Rust.
    global writes
    if getattr(function, "__name__", "") == "put":
        writes += {"c_call": 1, "c_return": 0}.get(event, 0)
        if kill_at == f"{event} {writes}":
            os.kill(os.getpid(), signal.SIGKILL)

def begin():
    print("ready", flush=True)
    sys.stdin.readline()
    sys.setprofile(kill_at_write)
"""


def moments(writes: int) -> list[str]:
    """Return every moment at which a program of so many writes can be killed, in order."""
    return [f"{event} {n}" for n in range(1, writes + 1) for event in ("c_call", "c_return")]


def start(program: str, *arguments: str, kill_at: str = "") -> subprocess.Popen[str]:
    """Start a program that calls `begin()` when it is ready; it reads `sys.argv[1:]`."""
    return subprocess.Popen(
        [sys.executable, "-c", KILLER + program, *arguments, kill_at],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
