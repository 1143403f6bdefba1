"""gunicorn's settings: `gunicorn --config python:api.gunicorn_conf "api:create_app()"`."""

import gc
import os
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess

from api.settings import settings
from tasks import log_format, reconciler

bind = f"{settings().host}:{settings().port}"
workers = settings().processes
worker_class = "api.gunicorn_worker.ProblemWorker"
threads = settings().threads
keepalive = 30
timeout = 60
graceful_timeout = 10
control_socket_disable = True  # it would be made in $HOME, which a container may not have
accesslog = None  # /metrics counts requests; a proxy logs them


def on_starting(server: Any) -> None:
    """Begin without the metrics of dead processes, which would be counted again.

    Only the files of the client library are deleted: the directory is the user's.
    """
    log_format.configure()
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        for file in Path(directory).glob("*.db"):
            file.unlink()


def post_worker_init(worker: Any) -> None:
    """Look after lost jobs, and spare the collector the application, which lives as long."""
    reconciler.watch()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Drop the gauges of a process that ended."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
