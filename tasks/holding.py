"""The jobs that this process works on now; its readiness says so to whoever looks for lost ones."""

import os
import socket
from threading import Lock

from tasks.job_stores import Job

_held: dict[str, Job] = {}
_lock = Lock()


def member(queue: str, process: int | None = None) -> str:
    """Return what this process, or another one of this host, is called among a queue's workers."""
    return f"{queue}:{socket.gethostname()}:{process or os.getpid()}"


def hold(job: Job) -> None:
    """Note that the work on a claimed job begins."""
    with _lock:
        _held[job.task_id] = job


def release(task_id: str) -> None:
    """Note that nothing more will be done for a job."""
    with _lock:
        _held.pop(task_id, None)


def held(task_id: str) -> Job | None:
    """Return the job as it was claimed here, or None when this process does not work on it."""
    with _lock:
        return _held.get(task_id)


def task_ids() -> tuple[str, ...]:
    """Return the ids of all jobs that this process works on."""
    with _lock:
        return tuple(_held)
