"""gunicorn's settings: `gunicorn --config api/gunicorn_conf.py "api:create_app()"`."""

import gc
import os
import shutil
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess

from api.settings import settings
from tasks import log_format

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
    """Begin with an empty directory: files of dead processes would be counted again."""
    log_format.configure()
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory:
        shutil.rmtree(directory, ignore_errors=True)
        Path(directory).mkdir(parents=True)


def post_worker_init(worker: Any) -> None:
    """Spare the collector the application, which lives as long as the process."""
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Drop the gauges of a process that ended."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
