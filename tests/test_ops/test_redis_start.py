"""`deploy/redis/start.sh`, which Compose starts its Redis with, and a real server behind it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from petiole import parts
from tasks import redis_users
from tasks.settings import redis_url_of
from tests.conftest import free_port
from tests.test_end_to_end.conftest import wait_until
from tests.test_ops.conftest import ROOT

pytestmark = pytest.mark.server

START = ROOT / "deploy" / "redis" / "start.sh"
ODD = "#/@%:?&=+ '\"\\$x;|é"
PASSWORDS = {name: f"{name}-{ODD}" for name in redis_users.NAMES}


def settings_of(passwords: dict[str, str]) -> dict[str, str]:
    """Return the variables that Compose hands the server."""
    return {f"PETIOLE_REDIS_{name.upper()}_PASSWORD": each for name, each in passwords.items()}


def refused(passwords: dict[str, str], users_file: Path) -> str:
    """Return what is said instead of a start."""
    ended = subprocess.run(
        ["sh", str(START), "echo", "started"],
        env={
            "PATH": os.environ["PATH"],
            "PETIOLE_REDIS_USERS_FILE": str(users_file),
            **settings_of(passwords),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


@pytest.mark.parametrize("user", redis_users.NAMES)
@pytest.mark.parametrize("password", ["", "short"])
def test_redis_does_not_start_without_a_password_of_each_user(
    user: str, password: str, tmp_path: Path
) -> None:
    """One line names the setting; too short is as good as none."""
    said = refused(PASSWORDS | {user: password}, tmp_path / "users")

    assert said.startswith(f"PETIOLE_REDIS_{user.upper()}_PASSWORD has {len(password)} characters")
    assert said.count("\n") == 1


def test_redis_does_not_start_with_one_password_for_two(tmp_path: Path) -> None:
    """Who has stolen one user's would have the other's; it is not shown."""
    said = refused(PASSWORDS | {"flower": PASSWORDS["web"]}, tmp_path / "users")

    assert said.startswith("PETIOLE_REDIS_FLOWER_PASSWORD is another user's password")
    assert PASSWORDS["web"] not in said


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[int, psutil.Process]]:
    """A server behind the script, its port and its process."""
    program = parts.redis(0, tmp_path).command[0]
    port = free_port()
    environment = {"PETIOLE_REDIS_USERS_FILE": str(tmp_path / "users"), **settings_of(PASSWORDS)}
    process = subprocess.Popen(
        ["sh", str(START), program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.DEVNULL,
    )
    yield port, psutil.Process(process.pid)
    process.terminate()
    process.wait(timeout=10)


def answer(url: str) -> str:
    """Return what the server says to PING."""
    try:
        return str(redis.Redis.from_url(url).ping())
    except redis.RedisError as exc:
        return str(exc)


def test_a_started_redis_knows_its_users_and_nobody_else(
    started: tuple[int, psutil.Process],
) -> None:
    """With passwords of any letters, which are in none of the server's words."""
    port, process = started
    wait_until(lambda: "refused" not in answer(f"redis://127.0.0.1:{port}/0"))
    for user, password in PASSWORDS.items():
        url = f"redis://{user}@127.0.0.1:{port}/0"
        assert answer(redis_url_of({"REDIS_URL": url, "REDIS_PASSWORD": password})) == "True"

    assert "already authenticated" in answer(f"redis://127.0.0.1:{port}/0")
    assert "invalid username-password" in answer(f"redis://web:guessed@127.0.0.1:{port}/0")
    said = [*process.cmdline(), *process.environ().values()]
    assert [each for each in said if ODD in each] == []
