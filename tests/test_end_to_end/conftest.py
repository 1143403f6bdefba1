"""The whole service as real processes: server, workers, API, Flower; free ports, own state."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import requests

from tasks.settings import EMBEDDED_ADDRESS
from tests.conftest import ROOT, free_port

SAMPLE = ROOT / "petiole" / "samples" / "coffee.jpg"
FLOWER_AUTH = ("tester", "secret")
PART_COMMANDS = {
    "redis": "valkey",
    "worker": "-Q classify",
    "downloader": "-Q downloads",
    "bulk": "-Q bulk",
    "api": "-m gunicorn",
    "flower": "tasks flower",
}
START_SECONDS = 90.0
HTTP_SECONDS = 40.0


@dataclass
class RunningService:
    """A started `petiole up`: its process, its addresses, its log."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    @property
    def api(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.environment['PETIOLE_API_PORT']}"

    @property
    def flower(self) -> str:
        """Flower's address."""
        return f"http://127.0.0.1:{self.environment['FLOWER_PORT']}"

    @property
    def state(self) -> Path:
        """The state directory."""
        return Path(self.environment["PETIOLE_UP_STATE_DIRECTORY"])

    @property
    def redis_url(self) -> str:
        """The embedded server's address, as its operator reaches it."""
        return (self.state / EMBEDDED_ADDRESS).read_text("utf-8").strip()

    def get(self, path: str, **arguments: Any) -> requests.Response:
        """GET from the API."""
        return requests.get(self.api + path, timeout=HTTP_SECONDS, **arguments)

    def classify(self, image: Path = SAMPLE, **options: Any) -> requests.Response:
        """POST one picture."""
        with image.open("rb") as stream:
            return requests.post(
                f"{self.api}/classify",
                params=options,
                files={"image": stream},
                timeout=HTTP_SECONDS,
            )

    def processes(self) -> list[psutil.Process]:
        """Return every process that the service started and that still runs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def part(self, name: str) -> psutil.Process:
        """Return the process of one part: redis, worker, downloader, api or flower."""
        parts = psutil.Process(self.process.pid).children()
        (found,) = [p for p in alive(parts) if PART_COMMANDS[name] in command_of(p)]
        return found

    def stop(self, number: int = signal.SIGINT) -> int:
        """Interrupt it as Ctrl-C does, and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def command_of(process: psutil.Process) -> str:
    """Return its command line; none for one that ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that run; a dead one that init has not collected yet does not count."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def wait_until(check: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Return the first true answer of `check`; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = check()
        if answer:
            return answer
        time.sleep(0.1)
    pytest.fail(f"not within {seconds:g} s")


def environment_for(state: Path, original: dict[str, str]) -> dict[str, str]:
    """Return an environment with free ports, an own state directory and the real models."""
    named = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_URL")
    return {name: value for name, value in original.items() if name not in named} | {
        "PETIOLE_UP_STATE_DIRECTORY": str(state),
        "PETIOLE_MODELS_STORE_URL": str(ROOT / "var" / "models"),
        "PETIOLE_UP_REDIS_PORT": str(free_port()),
        "PETIOLE_UP_CLASSIFY_CHILDREN": "2",
        "PETIOLE_API_PORT": str(free_port()),
        "PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS": "127.0.0.1/32",
        "FLOWER_PORT": str(free_port()),
        "FLOWER_BASIC_AUTH": ":".join(FLOWER_AUTH),
    }


def start(environment: dict[str, str], log: Path, *, within: Sequence[str] = ()) -> RunningService:
    """Run `petiole up`, on a host if that is said, and return it once it says that it is ready."""
    command = [*within, sys.executable, "-m", "petiole", "up"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    service = RunningService(process, environment, log)
    deadline = time.monotonic() + START_SECONDS
    while "ready after" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the service did not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.1)
    return service


@contextmanager
def frozen_children(service: RunningService) -> Iterator[None]:
    """Let no picture be worked on meanwhile."""
    children = service.part("worker").children()
    for child in children:
        child.suspend()
    try:
        yield
    finally:
        for child in children:
            child.resume()


@contextmanager
def colour_service(
    models: str, state: Path, original: dict[str, str], **further: str
) -> Iterator[RunningService]:
    """Run a service that classifies with `colours`; it must stop in order."""
    environment = environment_for(state, original) | {
        "PETIOLE_MODELS_STORE_URL": models,
        "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
        **further,
    }
    running = start(environment, state / "output")
    yield running
    assert denied(running) == []
    assert running.stop() == 0


def denied(service: RunningService) -> list[str]:
    """Return what its parts wanted of Redis and were not allowed to, by user."""
    with redis.Redis.from_url(service.redis_url, decode_responses=True) as client:
        log = client.acl_log()
    return [f"{each['username']}: {each['reason']} {each['object']}" for each in log]


@pytest.fixture(scope="session", autouse=True)
def real_model() -> None:
    """Without the installed model these tests say nothing; `make setup` installs it."""
    if not (ROOT / "var" / "models" / "imagenet" / "1" / "card.json").exists():
        message = "the model imagenet is not installed: make setup"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, original_environment: dict[str, str]
) -> Iterator[RunningService]:
    """One started service, shared by the tests that leave it as they found it."""
    state = tmp_path_factory.mktemp("state")
    running = start(environment_for(state, original_environment), state / "output")
    yield running
    children = running.processes()
    assert denied(running) == []
    assert running.stop() == 0
    assert alive(children) == []
