"""Keys under the real server: strangers' gigabytes are not taken in; Redis comes and goes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from petiole import parts
from tasks.keys.records import BULK, CLASSIFY, new
from tasks.keys.stores import RedisKeys
from tasks.settings import TasksSettings
from tests.api_server import Server, Start, start
from tests.conftest import free_port, picture, wait_for_redis

__all__ = ["start"]
pytestmark = pytest.mark.server

LARGE = 40_000_000


def key_in(url: str, name: str = "ana") -> dict[str, str]:
    """Return the header that shows a new key."""
    key, token = new(name, (CLASSIFY, BULK))
    RedisKeys(TasksSettings(job_store_url=url)).create(key)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(autouse=True)
def no_keys_yet(redis_url: str) -> None:
    """Other tests left theirs in the server that all share, and a name may have two."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[tuple[int, list[subprocess.Popen[bytes]]]]:
    """A server that a test ends and starts again."""
    port, begun = free_port(), []
    yield port, begun
    for each in begun:
        each.kill()
        each.wait(timeout=10)


@pytest.mark.parametrize("token", ["", "Bearer ptl_0123456789ab." + "x" * 43])
def test_many_pictures_of_strangers_are_refused_unread(
    start: Start, redis_url: str, tmp_path: Path, token: str
) -> None:
    """The answer comes although the body never does, and no file is begun."""
    spool = tmp_path / "spool"
    spool.mkdir()
    server = start(PETIOLE_API_REQUIRE_KEYS="true", PETIOLE_API_SPOOL_DIRECTORY=str(spool))
    head = "POST /bulk HTTP/1.1\r\nHost: petiole\r\nContent-Type: application/zip\r\n"
    shown = f"Authorization: {token}\r\n" if token else ""
    announced = f"{head}{shown}Content-Length: {LARGE}\r\n\r\n"
    with server.connect(announced.encode() + b"PK\x03\x04") as connection:
        answer = connection.recv(65_536).decode()

    assert answer.startswith("HTTP/1.1 401")
    assert list(spool.iterdir()) == []
    assert requests.post(
        f"{server.url}/bulk",
        json=["https://example.org/a.jpg"],
        headers=key_in(redis_url),
        timeout=9,
    ).ok


def test_keys_survive_redis_and_a_lost_one_lets_nobody_in(
    start: Start, own_redis: tuple[int, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    """Killed it lets nobody in; started again on its file it knows the key, emptied it does not."""
    port, begun = own_redis
    url, part = f"redis://127.0.0.1:{port}/0", parts.redis(port, tmp_path / "redis")

    def begin() -> None:
        begun.append(subprocess.Popen(part.command, stdout=subprocess.DEVNULL))
        wait_for_redis(url)

    (tmp_path / "redis").mkdir(exist_ok=True)
    begin()
    server = start(
        REDIS_URL=url, PETIOLE_API_REQUIRE_KEYS="true", PETIOLE_API_KEY_MEMORY_SECONDS="0"
    )
    headers = key_in(url)

    def asked() -> int:
        return requests.get(f"{server.url}/models", headers=headers, timeout=9).status_code

    before = asked()
    begun[-1].kill()
    begun[-1].wait(timeout=10)
    away = asked()
    begin()
    back = asked()
    with redis.Redis.from_url(url) as client:
        client.flushall()
    assert (before, away, back, asked()) == (200, 503, 200, 401)


def _begun(server: Server, shown: dict[str, str]) -> tuple[str, list[requests.Response]]:
    """Return a task that nobody works on, and its events and the results of a bulk, begun."""
    sent = {"image": ("a.jpg", picture())}
    task = requests.post(f"{server.url}/classify", files=sent, headers=shown, timeout=9).json()
    bulk = requests.post(f"{server.url}/bulk", files=sent, headers=shown, timeout=9).json()
    addresses = (f"/events?task={task['task_id']}", f"/bulk/{bulk['bulk_id']}/results?wait=300")
    return task["task_id"], [
        requests.get(server.url + address, headers=shown, stream=True, timeout=30)
        for address in addresses
    ]


def test_streams_end_with_the_key_that_was_shown(start: Start, redis_url: str) -> None:
    """They are read to their end here; those of another key go on."""
    server = start(PETIOLE_API_REQUIRE_KEYS="true", PETIOLE_API_KEY_MEMORY_SECONDS="0.1")
    eva, ben = (key_in(redis_url, name) for name in ("eva", "ben"))
    (_, of_eva), (bens_task, of_ben) = (_begun(server, shown) for shown in (eva, ben))
    keys = RedisKeys(TasksSettings(job_store_url=redis_url))
    for key in keys.all():
        if key.name == "eva":
            keys.revoke(key.key_id)

    assert all(b"event: end" not in response.content for response in of_eva)
    assert requests.get(of_eva[0].url, headers=eva, timeout=9).status_code == 401
    server.end_job(bens_task)
    assert b"event: end" in of_ben[0].content
    assert not of_ben[1].raw.closed
    of_ben[1].close()
