"""SIGTERM ends a worker soon and tidily, whatever its loop was doing."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import psutil
import pytest
import redis

from petiole import parts
from tests.conftest import ROOT, free_port, picture, wait_for_redis
from tests.test_end_to_end.conftest import wait_until

pytestmark = pytest.mark.server

STOP_SECONDS = 8.0
"""Less than the soft shutdown of celeryconfig.py, more than a busy machine needs."""

SUBMIT = """
import sys
from pathlib import Path
from tasks import submission
image = Path(sys.argv[1]).read_bytes()
for _ in range(int(sys.argv[2])):
    submission.submit_upload(image, filename="a.jpg", asked=submission.Asked("colours", top_k=1))
"""


@pytest.fixture
def environment(
    colour_store: str, original_environment: dict[str, str], tmp_path: Path
) -> dict[str, str]:
    """The settings of a worker with a Redis and uploads of its own."""
    return original_environment | {
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "PYTHONPATH": str(ROOT),
        "PETIOLE_MODELS_STORE_URL": colour_store,
        "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
        "PETIOLE_TASKS_IMAGE_STORE_URL": str(tmp_path / "uploads"),
    }


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A started Redis."""
    port = int(environment["REDIS_URL"].rpartition(":")[2].removesuffix("/0"))
    process = subprocess.Popen(
        parts.redis(port, tmp_path / "redis").command, stdout=subprocess.DEVNULL
    )
    wait_for_redis(environment["REDIS_URL"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def start(
    environment: dict[str, str], server: subprocess.Popen[bytes], tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a classify worker with one child and wait until that is warm."""
    started = []

    def start() -> subprocess.Popen[bytes]:
        part = parts.worker(1)
        log = tmp_path / f"log{len(started)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                part.command,
                cwd=ROOT,
                env={**part.environment, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        wait_until(lambda: "models ready" in log.read_text())
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def submit(environment: dict[str, str], image: str, *, count: int) -> None:
    """Queue a picture so often."""
    command = [parts.PYTHON, "-c", SUBMIT, image, str(count)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def ended(environment: dict[str, str]) -> int:
    """Return how many jobs have their document."""
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        return len(list(client.scan_iter("petiole:document:*")))


def seconds_to_stop(
    process: subprocess.Popen[bytes], *, meanwhile: Callable[[], object] = bool
) -> float:
    """Ask a worker to end, do something, and return how long it took."""
    begun = monotonic()
    process.send_signal(signal.SIGTERM)
    meanwhile()
    process.wait(timeout=30)
    return monotonic() - begun


def test_a_busy_worker_finishes_what_runs_and_puts_the_rest_back(
    start: Callable[[], subprocess.Popen[bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    """Nothing is wrong, nothing waits for longer than its picture, the next does what is left."""
    worker = start()
    submit(environment, "petiole/samples/coffee.jpg", count=60)
    seconds = seconds_to_stop(worker)
    start()

    assert seconds < STOP_SECONDS
    assert "[error" not in (tmp_path / "log0").read_text()
    assert wait_until(lambda: ended(environment) == 60)


def test_nothing_is_waited_for_longer_than_it_takes(
    start: Callable[[], subprocess.Popen[bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    """Celery's own soft shutdown sleeps for its whole time when a picture runs."""
    slow = tmp_path / "slow.png"  # half a second to decode
    slow.write_bytes(picture(size=(6000, 6000), kind="PNG"))
    worker = start()
    submit(environment, str(slow), count=4)
    (child,) = psutil.Process(worker.pid).children()
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        wait_until(lambda: stands_at_a_picture(child, client))
    before = ended(environment)

    def go_on() -> None:
        wait_until(lambda: "stopping" in (tmp_path / "log0").read_text())
        child.resume()

    seconds = seconds_to_stop(worker, meanwhile=go_on)

    assert seconds < STOP_SECONDS
    assert ended(environment) == before + 1


def stands_at_a_picture(child: psutil.Process, client: redis.Redis) -> bool:
    """Let a child stand still; it goes on unless it has begun with a picture."""
    child.suspend()
    if client.zcard("petiole:started"):
        return True
    child.resume()
    return False


def test_a_worker_whose_broker_is_away_ends_as_well(
    start: Callable[[], subprocess.Popen[bytes]], server: subprocess.Popen[bytes]
) -> None:
    """Its loop waits for the connection then, and does not turn."""
    worker = start()
    server.kill()
    server.wait()
    Event().wait(1.0)

    assert seconds_to_stop(worker) < STOP_SECONDS
