"""The machine: the state directory and its disk, limits, memory, and who we are on it."""

import os
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from api.settings import ApiSettings
from model_store import command_line
from petiole import running
from petiole.doctor.findings import Finding, error, warning, well
from petiole.settings import UpSettings
from tasks.settings import TasksSettings

LEAST_BYTES = 200_000_000
"""With less, a picture and a write of Redis are refused soon."""
FILES_BESIDES = 512
"""Open files of an API process besides its clients; it raises its own limit to that, if it may."""
GIGABYTE = 1e9
OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only looked at


def look() -> Iterator[Finding]:
    """Look at everything on this machine."""
    state = running.state_directory().absolute()
    yield _state_directory(state)
    yield _disk(_nearest(state))
    yield _open_files()
    yield from _user()
    yield from _memory()


def _state_directory(state: Path) -> Finding:
    nearest = _nearest(state)
    place = command_line.here(state)
    if not nearest.is_dir():
        to_do = "set PETIOLE_UP_STATE_DIRECTORY to another folder"
        return error("state", f"{place} cannot be made: {nearest} is no folder", to_do)
    if not os.access(nearest, os.W_OK | os.X_OK):
        to_do = f"give it to this user, or set PETIOLE_UP_STATE_DIRECTORY: chown {os.getuid()}"
        return error("state", f"{nearest} may not be written to", f"{to_do} {nearest}")
    return well("state", f"{place} {'is writable' if state.exists() else 'can be made'}")


def _nearest(place: Path) -> Path:
    """Return the folder itself, or the first above it that is there."""
    return next(each for each in (place, *place.parents) if each.exists())


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    wanted = TasksSettings().max_open_bytes + UpSettings().redis_max_bytes
    says = f"{free / GIGABYTE:.1f} GB are free in {folder}"
    if free < LEAST_BYTES:
        return error("disk", says, "free some; pictures and Redis' file need it")
    if free < wanted:
        most = f"a full queue takes {wanted / GIGABYTE:.1f} GB"
        return warning("disk", says, f"{most}; free some, or lower PETIOLE_TASKS_MAX_OPEN_BYTES")
    return well("disk", says)


def _open_files() -> Finding:
    wanted = ApiSettings().max_connections + FILES_BESIDES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return well("open files", f"a process may open the {wanted} that the API may need")
    says = f"a process may open {hard}, and the API may need {wanted}"
    to_do = f"raise the limit (ulimit -Hn {wanted}, LimitNOFILE= of systemd)"
    return warning("open files", says, f"{to_do}, or lower PETIOLE_API_MAX_CONNECTIONS")


def _user() -> Iterator[Finding]:
    if os.getuid() == 0:
        says = "this is root, and every part of a service that is started here would be"
        yield warning("user", says, "use a user of its own, as deploy/systemd does")


def _memory() -> Iterator[Finding]:
    if sys.platform != "linux":
        return
    if OVERCOMMIT.exists() and OVERCOMMIT.read_text().strip() == "0":
        says = "vm.overcommit_memory is 0; when memory is short, Redis cannot rewrite its file"
        yield warning("memory", says, "sysctl vm.overcommit_memory=1, and in /etc/sysctl.d")
    if not os.access(SHARED_MEMORY, os.W_OK):
        says = f"{SHARED_MEMORY} may not be written to, and a worker's semaphores lie there"
        yield error("memory", says, "mount a tmpfs there (docker run --shm-size)")
