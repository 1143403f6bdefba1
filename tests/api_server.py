"""The API under its real server, as a process of its own, without any worker."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from petiole import parts
from tasks.job_stores import SUCCESS, Outcome
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tests.conftest import ROOT, free_port
from tests.test_end_to_end.conftest import wait_until

THREADS = 2


@dataclass(frozen=True)
class Server:
    """A started API: its process and its port."""

    process: subprocess.Popen[bytes]
    port: int
    redis_url: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Open a connection and send something on it."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(sent)
        return connection

    def get(self, path: str) -> requests.Response:
        """GET something."""
        return requests.get(self.url + path, timeout=15)

    def post(self, image: bytes) -> requests.Response:
        """POST a picture."""
        headers = {"Content-Type": "image/jpeg"}
        return requests.post(f"{self.url}/classify", data=image, headers=headers, timeout=15)

    @property
    def job_store(self) -> RedisJobStore:
        """Its job store, as a worker has it."""
        return RedisJobStore(TasksSettings(job_store_url=self.redis_url), patience_seconds=1.0)

    def end_job(self, task_id: str) -> None:
        """End a job as a worker would."""
        document = json.dumps({"task_id": task_id, "state": SUCCESS})
        self.job_store.finish(task_id, Outcome(SUCCESS, document, {}))


Start = Callable[..., Server]


@pytest.fixture
def start(
    redis_url: str, colour_store: str, original_environment: dict[str, str], tmp_path: Path
) -> Iterator[Start]:
    """Start an API with further settings; it is stopped with the test."""
    started: list[Server] = []

    def start(**settings: str) -> Server:
        port = free_port()
        environment = original_environment | {
            "REDIS_URL": redis_url,
            "PETIOLE_API_PORT": str(port),
            "PETIOLE_API_THREADS": str(THREADS),
            "PETIOLE_MODELS_STORE_URL": colour_store,
            "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
            "PETIOLE_TASKS_IMAGE_STORE_URL": str(tmp_path / "uploads"),
        }
        part = parts.http_api(tmp_path / "metrics")
        process = subprocess.Popen(
            part.command, cwd=ROOT, env={**environment, **part.environment, **settings}
        )
        server = Server(process, port, redis_url)
        started.append(server)
        wait_until(lambda: _answers(server))
        return server

    yield start
    for server in started:
        server.process.terminate()
        server.process.wait(timeout=15)


def _answers(server: Server) -> bool:
    try:
        return server.get("/livez").ok
    except requests.ConnectionError:
        return False
