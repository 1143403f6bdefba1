"""The classify workers that run on this machine, as processes.

A process is one of them only if the service's own notes name it and its command line says so, too.
"""

import os
import re
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from petiole.chaos.errors import RefusedError
from petiole.chaos.installation import Installation
from tasks.readiness import CONSUMER, Note

PROC = Path("/proc")
INITS = frozenset({"tini", "docker-init", "dumb-init", "catatonit", "podman-init"})
"""First processes of a container, which ends with the program that they started."""

UNIT = re.compile(r"/([^/]+\.service)$", re.MULTILINE)


@dataclass(frozen=True)
class LocalWorker:
    """A classify worker: its main process, its warm children, and what starts it again."""

    main: int
    children: tuple[int, ...]
    keeper: str
    """Empty where nothing is known that would."""


def here(installation: Installation) -> list[LocalWorker]:
    """Return the classify workers of this machine that have children.

    Raises:
        RefusedError, ServiceUnavailableError: the notes cannot be read.
    """
    notes = installation.notes()
    consumers = [each for each in notes if each.queue == CONSUMER]
    mains = _processes([each for each in consumers if "classify" in (each.consumes or ())])
    ready = _processes([each for each in notes if each.queue == "classify" and each.is_ready])
    found = []
    for main in mains:
        children = tuple(child for child in ready if _parent(child) == main and _is_worker(child))
        if children and _is_worker(main):
            found.append(LocalWorker(main, children, _keeper(installation, main)))
    return found


def one(installation: Installation) -> LocalWorker:
    """Return a worker of this machine whose processes may be killed.

    Raises:
        RefusedError: there is none; says what to do instead.
        ServiceUnavailableError: the job store does not answer.
    """
    workers = here(installation)
    if not workers:
        raise RefusedError(_why_none(installation))
    worker = max(workers, key=lambda each: bool(each.keeper))
    if _is_container(worker.main):
        raise RefusedError(
            "the worker is what this container was started for, and both would end together; kill"
            " it from outside: docker compose kill --signal SIGKILL worker"
        )
    try:
        os.kill(worker.main, 0)
    except PermissionError as exc:
        owner = (PROC / str(worker.main)).stat().st_uid
        raise RefusedError(
            f"the worker (process {worker.main}) is the user {owner}'s; run this command as that"
            " user, or as root"
        ) from exc
    return worker


def kill(process: int) -> None:
    """SIGKILL a worker's process; one that took over its id meanwhile is left alone.

    Raises:
        RefusedError: it is no process of a worker.
        ProcessLookupError: it has ended already.
    """
    descriptor = os.pidfd_open(process)
    try:
        if not _is_worker(process):
            raise RefusedError(f"process {process} is no worker any more; nothing was killed")
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    finally:
        os.close(descriptor)


def _why_none(installation: Installation) -> str:
    members = [each.rsplit(":", 2) for each in installation.children]
    hosts = sorted({host for _, host, _ in members})
    if socket.gethostname() in hosts:
        return (
            "the workers of this machine have no children to kill that can be seen from here"
            " (a pool of threads, another namespace, or a system without /proc)"
        )
    return (
        f"no classify worker of {installation.api} runs on this machine"
        f" ({socket.gethostname()}); run this command on {' or '.join(hosts)}"
    )


def _processes(notes: list[Note]) -> list[int]:
    """Return the ids of those processes that are of this machine."""
    members = [note.process.rsplit(":", 2) for note in notes]
    return sorted(int(process) for _, host, process in members if host == socket.gethostname())


def _is_worker(process: int) -> bool:
    """Tell whether a process's command line is that of a Celery worker."""
    words = _read(process, "cmdline").replace("\0", " ").lower()
    return "celery" in words and "worker" in words


def _parent(process: int) -> int | None:
    """Return the process above another one; none for one that is gone.

    Source: proc(5), field 4 of `stat`; the name in field 2 may itself have spaces and brackets.
    """
    fields = _read(process, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else None


def _is_container(main: int) -> bool:
    """Tell whether this container was started for a worker's main process."""
    return main == 1 or (_parent(main) == 1 and _read(1, "comm").strip() in INITS)


def _keeper(installation: Installation, main: int) -> str:
    """Return what starts a worker again; a systemd unit does so if it says so."""
    if installation.note and main in installation.note.processes.values():
        return "`petiole up`"
    unit = UNIT.search(_read(main, "cgroup"))
    above = _parent(main)
    is_unit = unit and above and _read(above, "comm").strip() == "systemd"
    return f"systemd ({unit[1]})" if unit and is_unit else ""


def _read(process: int, name: str) -> str:
    try:
        return (PROC / str(process) / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
