"""CPU time and memory of the service's processes by role, from `/proc`."""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

PARTS = {
    "redis": "valkey",
    "worker": "-Q classify",
    "downloader": "-Q downloads",
    "bulk": "-Q bulk",
    "api": "-m gunicorn",
    "flower": "tasks flower",
}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Role:
    """One kind of process: how many there are, their CPU seconds so far, and the PSS of one."""

    count: int
    cpu_seconds: float
    pss_mib: float


def roles(supervisor_pid: int) -> dict[str, Role]:
    """Return the roles of the service that `petiole up` runs as `supervisor_pid`."""
    return {name: _role(pids) for name, pids in ids(supervisor_pid).items()}


def ids(supervisor_pid: int) -> dict[str, list[int]]:
    """Return the process ids of each role of that service."""
    grouped: dict[str, list[int]] = {"supervisor": [supervisor_pid]}
    for part in psutil.Process(supervisor_pid).children():
        command = " ".join(part.cmdline())
        name = next(name for name, word in PARTS.items() if word in command)
        grouped[name] = [part.pid]
        children = [child.pid for child in part.children(recursive=True)]
        if children:
            grouped[f"{name} child"] = children
    return grouped


def tree(*pids: int) -> Role:
    """Return all processes that these ones are and have started, as one role; PSS is the sum."""
    found = {each.pid for pid in pids for each in _family(psutil.Process(pid))}
    seen = [each for each in map(_seen, found) if each]
    return Role(len(seen), sum(cpu for cpu, _ in seen), sum(pss for _, pss in seen))


def _seen(pid: int) -> tuple[float, float] | None:
    """Return CPU seconds and PSS of a process; None of one that has ended meanwhile."""
    try:
        return _cpu_seconds(pid), _pss_mib(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _role(pids: list[int]) -> Role:
    pss = sum(_pss_mib(pid) for pid in pids) / len(pids)
    return Role(len(pids), sum(_cpu_seconds(pid) for pid in pids), pss)


def _cpu_seconds(pid: int) -> float:
    """Return user plus system time (proc(5), fields 14 and 15 of `stat`)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _pss_mib(pid: int) -> float:
    """Return the proportional set size: shared pages are divided among their users."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (line,) = [line for line in rollup if line.startswith("Pss:")]
    return int(line.split()[1]) / 1024
