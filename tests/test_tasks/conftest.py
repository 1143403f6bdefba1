"""A server for tests that hurt theirs."""

import subprocess
from collections.abc import Iterator

import pytest
import redis

from petiole import parts
from tests.conftest import free_port, wait_for_redis


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """A client of a server of its own, which the tests make refuse."""
    port = free_port()
    part = parts.redis(port, tmp_path_factory.mktemp("redis"))
    process = subprocess.Popen(part.command, stdout=subprocess.DEVNULL)
    wait_for_redis(f"redis://127.0.0.1:{port}/0")
    with redis.Redis(port=port, decode_responses=True) as client:
        yield client
    process.kill()  # One that may not write does not end when it is asked to.
    process.wait(timeout=10)
