"""A service in parts that a test starts and ends one by one, of this or another checkout."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from petiole import parts
from petiole.parts import Part
from tests.conftest import ROOT, free_port, wait_for_redis
from tests.test_end_to_end.conftest import wait_until

HTTP_SECONDS = 40.0


class Place:
    """Redis, a model store and an image store of their own, and what runs on them."""

    def __init__(self, directory: Path, original: dict[str, str], **settings: str) -> None:
        """Start Redis in `directory`, which is made."""
        directory.mkdir()
        self.directory, redis_port, api_port = directory, free_port(), free_port()
        self.api, self.redis_url = (
            f"http://127.0.0.1:{api_port}",
            f"redis://127.0.0.1:{redis_port}/0",
        )
        self.environment = original | {
            "REDIS_URL": self.redis_url,
            "PETIOLE_API_PORT": str(api_port),
            "PETIOLE_TASKS_IMAGE_STORE_URL": str(directory / "uploads"),
            "PETIOLE_MODELS_STORE_URL": str(directory / "models"),
            "PETIOLE_MODELS_CACHE_DIRECTORY": str(directory / "cache"),
            "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
            "PETIOLE_UP_STATE_DIRECTORY": str(directory / "state"),
            **settings,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._start(parts.redis(redis_port, directory / "redis"), ROOT)
        wait_for_redis(self.redis_url)

    def start(self, name: str, code: Path = ROOT) -> None:
        """Start a part of a checkout; an API answers when this returns."""
        made = {
            "api": lambda: parts.http_api(self.directory / "metrics"),
            "worker": lambda: parts.worker(1),
            "downloader": lambda: parts.downloader(2),
            "bulk": lambda: parts.bulk_worker(1),
        }
        self._start(made[name](), code)
        if name == "api":
            wait_until(self._lives)

    def _lives(self) -> bool:
        try:
            return requests.get(f"{self.api}/livez", timeout=HTTP_SECONDS).ok
        except requests.ConnectionError:
            return False

    def _start(self, part: Part, code: Path) -> None:
        environment = self.environment | part.environment | {"PYTHONPATH": str(code)}
        with (self.directory / f"{part.name}.log").open("ab") as log:
            self._processes[part.name] = subprocess.Popen(
                part.command, cwd=code, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def end(self, *names: str) -> None:
        """End parts, or all of them: Redis comes last."""
        for name in names or list(reversed(self._processes)):
            process = self._processes.pop(name)
            process.terminate()
            process.wait(timeout=60)

    def post(self, path: str, picture: bytes, **options: Any) -> requests.Response:
        """POST a picture."""
        headers = {"Content-Type": "image/jpeg", **options.pop("headers", {})}
        url = self.api + path
        return requests.post(url, data=picture, headers=headers, timeout=HTTP_SECONDS, **options)

    def ended(self, task_id: str, **options: Any) -> dict[str, Any]:
        """Return the document of a job once it is over."""

        def look() -> Any:
            answer = requests.get(f"{self.api}/result/{task_id}", timeout=HTTP_SECONDS, **options)
            return answer.json() if answer.status_code == requests.codes.ok else None

        document: dict[str, Any] = wait_until(look, seconds=90)
        return document

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `petiole` against it until it ends."""
        return subprocess.run(
            [sys.executable, "-m", "petiole", *words],
            cwd=ROOT,
            env=self.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run_python(self, code: Path, *words: str) -> str:
        """Run a program of a checkout against it, and return what it prints."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=code,
            env=self.environment | {"PYTHONPATH": str(code)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout


@contextmanager
def place(directory: Path, original: dict[str, str], **settings: str) -> Iterator[Place]:
    """Give a place; whatever runs on it ends with the block."""
    made = Place(directory, original, **settings)
    try:
        yield made
    finally:
        made.end()
