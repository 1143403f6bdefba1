"""A real server, a real API and real workers, each started by the test that needs it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest
import redis
import requests

from petiole import parts
from petiole.parts import Part
from tasks.job_stores.redis_upkeep import READY_MEMBERS
from tests.conftest import ROOT, free_port, picture, wait_for_redis
from tests.test_end_to_end.conftest import alive, environment_for, wait_until

HTTP_SECONDS = 30.0
FAULTY = "tests.test_workers.faulty"


@dataclass
class Stage:
    """A server of its own and the programs that were started beside it."""

    redis_url: str
    api_url: str
    environment: dict[str, str]
    directory: Path
    logs: list[Path] = field(default_factory=list)

    @property
    def redis(self) -> redis.Redis:
        """A client of the server."""
        return redis.Redis.from_url(self.redis_url, decode_responses=True)

    @contextmanager
    def running(self, part: Part, **further: str) -> Iterator[psutil.Process]:
        """Run a program until the block ends, then end it with all of its children."""
        log = self.directory / f"{part.name}-{len(self.logs)}.log"
        self.logs.append(log)
        environment = {**part.environment, **self.environment, **further}
        with log.open("wb") as output:
            process = subprocess.Popen(
                part.command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        started = psutil.Process(process.pid)
        try:
            yield started
        finally:
            if process.poll() is None and started.is_running():
                for each in alive([*started.children(recursive=True), started]):
                    each.kill()
            process.wait(timeout=10)

    @contextmanager
    def working(self, part: Part, **further: str) -> Iterator[psutil.Process]:
        """Run a worker, ready, until the block ends; nothing is left of earlier ones."""
        self.redis.delete(READY_MEMBERS)
        with self.running(part, **further) as process:
            wait_until(lambda: self.get("/readyz").ok)
            yield process

    def tell(self, *command: str) -> None:
        """Send a remote command to every worker, and wait for an answer."""
        program = [sys.executable, "-m", "celery", "-A", FAULTY, "control", *command]
        subprocess.run(
            program, cwd=ROOT, env=self.environment, check=True, capture_output=True, timeout=30
        )

    @property
    def log(self) -> str:
        """What the program that was started last has logged so far."""
        return self.logs[-1].read_text()

    def get(self, path: str) -> requests.Response:
        """GET from the API."""
        return requests.get(self.api_url + path, timeout=HTTP_SECONDS)

    def accepted(self, count: int = 1, image: bytes = b"", query: str = "") -> list[str]:
        """Send pictures and return the task ids of those that were accepted."""
        files = {"image": ("a.jpg", image or picture())}
        answers = [
            requests.post(f"{self.api_url}/classify{query}", files=files, timeout=HTTP_SECONDS)
            for _ in range(count)
        ]
        return [answer.json()["task_id"] for answer in answers if answer.status_code == 202]

    def states(self, task_ids: list[str]) -> list[str]:
        """Return the state of each job."""
        return [self.get(f"/result/{task_id}").json()["state"] for task_id in task_ids]

    def answered(self, task_ids: list[str], *, seconds: float) -> bool:
        """Wait until every one is SUCCESS; fails when it is not in time."""
        return wait_until(lambda: set(self.states(task_ids)) == {"SUCCESS"}, seconds=seconds)


def worker(*options: str, queue: str = "classify") -> Part:
    """Return a worker with further options; the last ones hold."""
    command = (*parts.worker(1).command, "-Q", queue, *options)
    return Part("worker", command, parts.WORKER_ENVIRONMENT)


def faulty_worker(*options: str) -> Part:
    """Return a worker that a picture can make slow, fail or end: see `faulty.py`."""
    part = worker(*options)
    return replace(part, command=tuple(FAULTY if w == "tasks" else w for w in part.command))


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[Stage]:
    """A server and an API; no worker yet."""
    with staged(tmp_path_factory.mktemp("stage"), colour_store, original_environment) as made:
        yield made


def empty_stage(
    directory: Path, colour_store: str, original: dict[str, str], **settings: str
) -> Stage:
    """Return the settings of a service over a server that is there; nothing runs yet."""
    environment = environment_for(directory, original) | {
        "PYTHONPATH": str(ROOT),
        "PETIOLE_MODELS_STORE_URL": colour_store,
        "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
        "PETIOLE_MODELS_CACHE_DIRECTORY": str(directory / "cache"),
        "PETIOLE_TASKS_IMAGE_STORE_URL": str(directory / "uploads"),
        "PETIOLE_API_PROCESSES": "1",
        **settings,
    }
    api_url = f"http://127.0.0.1:{environment['PETIOLE_API_PORT']}"
    return Stage(environment["REDIS_URL"], api_url, environment, directory)


@contextmanager
def staged(
    directory: Path, colour_store: str, original: dict[str, str], **further: str
) -> Iterator[Stage]:
    """Run a server and an API with further settings."""
    port = free_port()
    settings = {
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "PETIOLE_TASKS_READY_TTL_SECONDS": "6",
        "PETIOLE_TASKS_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "PETIOLE_TASKS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32",
        **further,
    }
    made = empty_stage(directory, colour_store, original, **settings)
    with ExitStack() as stack:
        stack.enter_context(made.running(parts.redis(port, directory / "redis")))
        wait_for_redis(made.redis_url)
        stack.enter_context(made.running(parts.http_api(directory / "metrics")))
        wait_until(lambda: answers(made))
        yield made


def answers(stage: Stage) -> bool:
    """Tell whether its API is there."""
    try:
        return stage.get("/livez").ok
    except requests.ConnectionError:
        return False
