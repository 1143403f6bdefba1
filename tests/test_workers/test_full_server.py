"""Redis at its memory limit, or read-only, and well again: the workers go on."""

import time

import psutil
import pytest

from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end

FULL_SECONDS = 12.0
FREED_SECONDS = 7.0


def test_a_full_server_that_is_freed_is_served_on(stage: Stage) -> None:
    """Children hold pictures and others wait while it fills up; all are answered, and new ones."""
    with stage.working(worker("--concurrency", "2")) as process:
        for child in process.children():
            child.suspend()
        before = stage.accepted(15)
        stage.redis.config_set("maxmemory", "1mb")
        for child in process.children():
            child.resume()
        time.sleep(FULL_SECONDS)
        stage.redis.config_set("maxmemory", "0")
        after = stage.accepted(15)
        stage.answered([after[0]], seconds=FREED_SECONDS)
        stage.answered(before + after, seconds=60)

    assert len(before) == len(after) == 15


def test_a_worker_outlives_a_server_that_takes_no_writes(stage: Stage) -> None:
    """The answer to its wait for messages is an error then, as on a replica after a failover."""
    with stage.working(worker()) as process:
        stage.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        wait_until(lambda: "read only replica" in stage.log)
        stage.redis.execute_command("REPLICAOF", "NO", "ONE")
        stage.answered(stage.accepted(3), seconds=30)
        outlived = process.is_running() and process.status() != psutil.STATUS_ZOMBIE

    assert outlived
