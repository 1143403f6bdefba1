"""System calls for each picture: counted by strace, or where it is missing reads and writes."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import processes
from benchmarks.measurements import LoadResult
from benchmarks.service import Started
from petiole.markdown import table

SECONDS = 5.0
Load = Callable[..., LoadResult]


def table_of(service: Started, under: Load) -> str:
    """Return the table; its head says which way they were counted."""
    roles = processes.ids(service.process.pid)
    if shutil.which("strace"):
        counted, head = _traced(roles, under), "system calls a picture (strace)"
    else:
        counted, head = _read_and_written(roles, under), "reads and writes a picture (`/proc`)"
    lines = [(role, f"{each:.1f}") for role, each in counted.items()]
    lines.append(("**sum**", f"**{sum(counted.values()):.1f}**"))
    return table(("process", head), lines)


def _traced(roles: dict[str, list[int]], under: Load) -> dict[str, float]:
    """Count all calls under load; tracing slows the service, but a picture needs as many."""
    with tempfile.TemporaryDirectory() as directory:
        running = []
        for role, ids in roles.items():
            named = [word for number in ids for word in ("--attach", str(number))]
            command = ["strace", "-c", "-f", "-qq", "-o", f"{directory}/{role}", *named]
            running.append(subprocess.Popen(command))  # noqa: S603 - our own arguments
        finished = under(seconds=SECONDS).finished
        for process in running:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
        summaries = {role: Path(directory, role).read_text() for role in roles}
    return {role: calls(summary) / max(1, finished) for role, summary in summaries.items()}


def calls(summary: str) -> int:
    """Return the total of a summary that `strace -c` wrote; 0 of an empty one."""
    for line in summary.splitlines():
        words = line.split()
        if words and words[-1] == "total":
            return int(words[3])
    return 0


def _read_and_written(roles: dict[str, list[int]], under: Load) -> dict[str, float]:
    before = {role: sum(map(_io_calls, ids)) for role, ids in roles.items()}
    finished = under(seconds=SECONDS).finished
    after = {role: sum(map(_io_calls, ids)) for role, ids in roles.items()}
    return {role: (after[role] - before[role]) / max(1, finished) for role in roles}


def _io_calls(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    counts = dict(line.split(": ") for line in lines)
    return int(counts["syscr"]) + int(counts["syscw"])
