"""What every test may use: eager mode, drawn pictures, a tiny real model, a real server."""

import os

EAGER = {
    "CELERY_TASK_ALWAYS_EAGER": "1",
    "CELERY_BROKER_URL": "memory://",
    "CELERY_RESULT_BACKEND": "cache+memory://",
    "PETIOLE_TASKS_JOB_STORE_URL": "memory://",
    "PETIOLE_TASKS_IMAGE_STORE_URL": "memory://",
    "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
}
# Most tests look at what workers do with a picture, and send the same one again and again. Those of
# the cache switch it on.
os.environ["PETIOLE_TASKS_CACHE_TTL_SECONDS"] = "0"
# The processes of pytest-xdist inherit what their parent has set here.
ORIGINAL_ENVIRONMENT = {n: value for n, value in os.environ.items() if EAGER.get(n) != value}
# Before anything of ours is imported: Celery reads its settings once.
os.environ |= EAGER

import logging
import socket
import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
import redis
import requests
from PIL import Image
from playwright.sync_api import Browser

from petiole import parts
from tasks import once, stores
from tests import browser as real_browser
from tests import colour_model

ROOT = Path(__file__).parent.parent


def picture(colour: str = "red", *, size: tuple[int, int] = (64, 48), kind: str = "JPEG") -> bytes:
    """Return a picture of one colour, encoded as `kind`."""
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def stored_uploads() -> int:
    """Return how many uploads are stored, deleting them."""
    images = stores.image_store()
    return images.sweep(older_than_seconds=-60, is_wanted=lambda _: False)


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Nothing that another test opened, loaded or counted is left."""
    once.begin_anew()
    yield
    once.begin_anew()


@pytest.fixture(scope="session")
def original_environment() -> dict[str, str]:
    """The environment as it was before eager mode was set, for programs that a test starts."""
    return dict(ORIGINAL_ENVIRONMENT)


@pytest.fixture(scope="session")
def colour_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a model store with `colours@1`, a tiny real network."""
    directory = tmp_path_factory.mktemp("models")
    colour_model.publish(directory)
    return str(directory)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Redis-compatible server that ends with the tests."""
    port = free_port()
    part = parts.redis(port, tmp_path_factory.mktemp("redis"))
    server = subprocess.Popen(part.command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    wait_for_redis(url)
    yield url
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a real S3 protocol server with the bucket `bucket`."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    requests.put(f"{address}/bucket", timeout=10).raise_for_status()
    yield address
    server.stop()


@pytest.fixture
def bucket_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty place in a bucket, reached as the environment says."""
    return _place_in_bucket(s3_endpoint, monkeypatch)


@pytest.fixture
def silent_bucket_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket whose server takes every call and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield _place_in_bucket(f"http://127.0.0.1:{server.getsockname()[1]}", monkeypatch)


def _place_in_bucket(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    return f"s3://bucket/{uuid4().hex}"


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_redis(url: str) -> None:
    """Return once a server answers at `url`."""
    with redis.Redis.from_url(url) as client:
        for _ in range(100):
            try:
                client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.05)
    pytest.fail("the Redis-compatible server did not start")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a file; each has pages of its own.

    Not one for all: its loop would run in the suite's thread while other tests begin theirs.
    """
    with real_browser.started() as browser:
        yield browser
