"""Those who wait for a job wake with its end, also when Redis was away meanwhile."""

import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import time

import pytest
import redis

from petiole import parts
from tasks.job_stores import SUCCESS, Job, Outcome, notices
from tasks.job_stores.redis import DOCUMENT, RedisJobStore
from tasks.settings import TasksSettings
from tests.conftest import free_port, wait_for_redis

pytestmark = pytest.mark.server

WAITERS = 40
PATIENCE_SECONDS = 30.0
ENDED = Outcome(SUCCESS, '{"state": "SUCCESS"}', {})


@dataclass
class Server:
    """A Redis of the test's own that can be killed, frozen and started again."""

    part: parts.Part
    url: str
    process: subprocess.Popen[bytes]

    def restart(self) -> None:
        """Start it again from its append-only file."""
        self.process = subprocess.Popen(self.part.command, stdout=subprocess.DEVNULL)
        wait_for_redis(self.url)

    def kill(self) -> None:
        """End it as a power cut would, once its file is on the disk."""
        with redis.Redis.from_url(self.url) as client:
            client.execute_command("WAITAOF", 1, 0, 5000)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A started server."""
    port = free_port()
    part = parts.redis(port, tmp_path)
    process = subprocess.Popen(part.command, stdout=subprocess.DEVNULL)
    server = Server(part, f"redis://127.0.0.1:{port}/0", process)
    wait_for_redis(server.url)
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.process.kill()
    server.process.wait()


def store_of(server: Server) -> RedisJobStore:
    """Return a store as the API has one."""
    return RedisJobStore(TasksSettings(job_store_url=server.url), patience_seconds=0.0)


@pytest.fixture
def task_ids(server: Server) -> list[str]:
    """The ids of jobs that are open."""
    ids = [f"job-{number}" for number in range(WAITERS)]
    for task_id in ids:
        store_of(server).create(Job(task_id, "colours", 1, "a.jpg", time(), time()))
    return ids


class Waiters:
    """Clients in threads, one for each job; each remembers when it woke."""

    def __init__(self, store: RedisJobStore, task_ids: list[str]) -> None:
        """Begin to wait."""
        self._pool = ThreadPoolExecutor(len(task_ids))
        self._woke = [self._pool.submit(self._wait, store, task_id) for task_id in task_ids]

    @staticmethod
    def _wait(store: RedisJobStore, task_id: str) -> str | None:
        with store.watching(task_id) as watch:
            return watch.wait(seconds=PATIENCE_SECONDS)

    def heard(self) -> set[str | None]:
        """Return what they woke with; None is for those who waited in vain."""
        heard = {each.result() for each in self._woke}
        self._pool.shutdown()
        return heard


@pytest.fixture(autouse=True)
def _nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep waiters from looking up every second, so that only what they hear can wake them."""
    monkeypatch.setattr(notices, "LOOK_UP_SECONDS", 20 * PATIENCE_SECONDS)


def end_all(server: Server, task_ids: list[str]) -> None:
    """End every job as a worker would, at once."""
    store = store_of(server)
    for task_id in task_ids:
        store.finish(task_id, ENDED)


def test_waiters_wake_with_the_end(server: Server, task_ids: list[str]) -> None:
    """A notice is enough; nobody asks."""
    waiters = Waiters(store_of(server), task_ids)
    Event().wait(0.5)

    end_all(server, task_ids)
    assert waiters.heard() == {ENDED.document}


def test_waiters_wake_with_an_end_after_a_restart(server: Server, task_ids: list[str]) -> None:
    """They are listening again before a worker can end a job."""
    waiters = Waiters(store_of(server), task_ids)
    Event().wait(0.5)
    server.kill()
    Event().wait(2.0)
    server.restart()

    end_all(server, task_ids)
    assert waiters.heard() == {ENDED.document}


def test_waiters_wake_with_an_end_that_no_notice_told(server: Server, task_ids: list[str]) -> None:
    """What ended while they were not connected is looked up, all at once."""
    waiters = Waiters(store_of(server), task_ids)
    Event().wait(0.5)
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "default", "resetchannels")
        Event().wait(0.1)
        for task_id in task_ids:
            client.set(DOCUMENT + task_id, ENDED.document)
        client.execute_command("ACL", "SETUSER", "default", "allchannels")

    assert waiters.heard() == {ENDED.document}


def test_waiters_outlast_a_freeze(server: Server, task_ids: list[str]) -> None:
    """A server that hung for longer than every timeout is heard again at once."""
    waiters = Waiters(store_of(server), task_ids)
    Event().wait(0.5)
    server.process.send_signal(signal.SIGSTOP)
    Event().wait(4.0)
    server.process.send_signal(signal.SIGCONT)

    end_all(server, task_ids)
    assert waiters.heard() == {ENDED.document}
