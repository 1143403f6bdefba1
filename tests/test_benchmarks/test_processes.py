"""What a tree of processes has used, also where one of them ends while it is looked at."""

import subprocess

import psutil

from benchmarks import processes
from tests.test_end_to_end.conftest import wait_until


def test_a_process_that_has_ended_is_left_out() -> None:
    """Its memory cannot be read any more, as its parent has not heard of its end."""
    root = subprocess.Popen(["sh", "-c", "true & exec sleep 30"])
    try:
        family = psutil.Process(root.pid)
        wait_until(lambda: [p.status() for p in family.children()] == [psutil.STATUS_ZOMBIE])
        wait_until(lambda: family.name() == "sleep")
        seen = processes.tree(root.pid)
    finally:
        root.kill()
        root.wait(timeout=10)

    assert seen.count == 1
    assert seen.pss_mib > 0
