"""gunicorn's settings: `gunicorn --config python:api.gunicorn_conf "api:create_app()"`."""

import gc
import os
import resource
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess

from api import health
from api.settings import is_local, settings
from tasks import bad_settings, log_format, priority, reconciler
from tasks import settings as settings_of_tasks
from tasks.celery_settings import CelerySettings
from tasks.tracing import recording

FIRST = 1
FILES_BESIDES = 1024
"""Connections to Redis, bodies in temporary files, libraries."""

with bad_settings.in_one_line():
    settings()
    settings_of_tasks.settings()
    CelerySettings()

_descriptor = settings().listening_descriptor
bind = f"{settings().host}:{settings().port}" if _descriptor is None else f"fd://{_descriptor}"
workers = settings().processes
worker_class = "api.gunicorn_worker.LoopWorker"
asgi_loop = "asyncio"
keepalive = 30
limit_request_line = 8190  # gunicorn's most: `GET /events` names many tasks
timeout = 60
graceful_timeout = 10
root_path = os.environ.get("SCRIPT_NAME", "").rstrip("/")  # as other WSGI servers take it
control_socket_disable = True  # it would be made in $HOME, which a container may not have
accesslog = None  # /metrics counts requests; a proxy logs them


def on_starting(server: Any) -> None:
    """Prepare what the processes share."""
    log_format.configure()
    _refuse_open_doors(server.cfg.address)
    _allow_connections()
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        _forget_dead_processes(Path(directory))


def _refuse_open_doors(addresses: list[Any]) -> None:
    """End the start where anybody could come in: options of gunicorn may say another address."""
    if settings().are_keys_required or settings().insecure:
        return
    if strange := [host for host in map(_host_of, addresses) if not is_local(host)]:
        sys.exit(
            "petiole: PETIOLE_API_REQUIRE_KEYS asks nobody for a key, and the API would listen on"
            f" {strange[0]}; set it to true, or PETIOLE_API_INSECURE to true"
        )


def _host_of(address: Any) -> str:
    """Return the host of what gunicorn listens on; a socket of the file system is local."""
    if isinstance(address, int):
        with closing(socket.socket(fileno=os.dup(address))) as listening:
            address = listening.getsockname()
    return "localhost" if isinstance(address, str | bytes) else str(address[0])


def _forget_dead_processes(directory: Path) -> None:
    """Begin without the metrics of dead processes, which would be counted again.

    Only the files of the client library are deleted: the directory is the user's. Those of live
    processes stay: new ones may start beside them.
    """
    for file in directory.glob("*.db"):
        process = file.stem.rpartition("_")[2]
        if not (process.isdigit() and _runs(int(process))):
            file.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Somebody else's, so it took the id of one of ours.
        return False
    return True


def _allow_connections() -> None:
    """Raise the limit of open files, which often is 1024, to what the connections may need."""
    wanted = settings().max_connections + FILES_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if allowed > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def post_fork(server: Any, worker: Any) -> None:
    """Leave the cores to the pictures that are being predicted."""
    priority.wait_for_a_core()


def post_worker_init(worker: Any) -> None:
    """Look after lost jobs and traces, and spare the collector what lives as long as this."""
    if worker.age == FIRST:
        health.log_refusals()
    reconciler.watch()
    recording.begin("api")
    gc.freeze()


def worker_exit(server: Any, worker: Any) -> None:
    """Send the last spans."""
    recording.end()


def child_exit(server: Any, worker: Any) -> None:
    """Drop the gauges of a process that ended."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
