"""What docs/operations.md says of servers: Redis 7.0 without `default`, and Valkey without TLS."""

import subprocess
from functools import partial
from pathlib import Path

import pytest
import redis

from petiole import parts
from tests import brokers
from tests.brokers import DEFAULT, PASSWORD, USER, Server
from tests.conftest import free_port

pytestmark = pytest.mark.server

OFF = "user default off"
READS_AS_NOBODY = (7, 2)
"""Since this release the file of commands is read without asking what a user may."""


@pytest.mark.parametrize("default", [OFF, DEFAULT])
def test_a_transaction_outlasts_a_restart_where_default_may_read_it(
    tmp_path: Path, default: str
) -> None:
    """Redis before 7.2 reads its file as `default`, and forgets what that one may not do."""
    port, users = free_port(), tmp_path / "users.acl"
    users.write_text(f"user {USER} on >{PASSWORD} ~* &* +@all\n{default}\n")
    program = brokers.program("redis-server", package="redis-server")
    options = ("--appendonly", "yes", "--aclfile", str(users), "--save", "")
    command = (program, "--bind", "127.0.0.1", "--port", str(port), *options)
    client = redis.Redis(port=port, username=USER, password=PASSWORD)
    server = Server(command, tmp_path / "data", partial(_answers, client))
    with server.running():
        version = tuple(map(int, client.info()["redis_version"].split(".")))
        client.pipeline(transaction=True).set("a", 1).set("b", 2).execute()
        client.set("alone", 3)
        server.kill()
        server.start()
        kept = client.exists("a", "b")

    assert kept == (0 if default == OFF and version < READS_AS_NOBODY else 2)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_the_server_that_petiole_brings_speaks_no_tls(tmp_path: Path) -> None:
    """It ends, as it does not know what that would be."""
    program, *_ = parts.redis(0, tmp_path).command
    command = [program, "--port", "0", "--tls-port", str(free_port()), "--dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode != 0
    assert "Failed finding TLS support" in ended.stdout
