"""The supervisor's promises about the moment between fork and exec, and about its parts' end."""

import subprocess
import sys

import psutil

from tests.conftest import ROOT
from tests.test_end_to_end.conftest import alive, wait_until

LOADS_A_LIBRARY = """
import sys
from petiole import supervisor

loaded = []
sys.addaudithook(lambda event, _: loaded.append(event) if event.startswith("ctypes.dl") else None)
supervisor._end_with_parent()
print(loaded)
"""

PARENT = """
import os, signal
from petiole.parts import Part
from petiole.supervisor import Console, Supervisor

supervisor = Supervisor(Console(["sleeper"]), os.environ)
supervisor.start(Part("sleeper", ("sleep", "60")))
print(supervisor._running["sleeper"].process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program that knows our code, in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


def runs(pid: int) -> bool:
    """Tell whether a process still runs."""
    try:
        return alive([psutil.Process(pid)]) != []
    except psutil.NoSuchProcess:
        return False


def test_nothing_is_loaded_between_fork_and_exec() -> None:
    """The dynamic loader takes locks that another thread may have held at the fork."""
    ended = run(LOADS_A_LIBRARY)

    assert (ended.stdout, ended.stderr) == ("[]\n", "")


def test_a_part_ends_with_a_parent_that_was_killed() -> None:
    """Even SIGKILL, which no handler sees, leaves nothing running."""
    ended = run(PARENT)

    assert wait_until(lambda: not runs(int(ended.stdout)), seconds=5)
