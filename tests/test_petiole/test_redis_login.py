"""The users of the embedded Redis: their passwords, and who is told which."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from petiole import parts, redis_login, up
from petiole.settings import UpSettings
from tasks import redis_users
from tasks.redis_users import OPERATOR
from tests.conftest import ROOT
from tests.test_petiole.conftest import Run


def test_the_embedded_redis_has_a_password_for_each_user(tmp_path: Path) -> None:
    """Only who runs the service reads them; the same at the next start, others elsewhere."""
    made, again = (redis_login.made(tmp_path, 1) for _ in range(2))
    other = redis_login.made(tmp_path / "other", 1)
    files = [each for each in tmp_path.rglob("*") if each.is_file()]

    assert made.passwords == again.passwords
    assert len({*made.passwords.values(), *other.passwords.values()}) == 2 * len(redis_users.NAMES)
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert not set(made.passwords.values()) & set(made.users_file.read_text().split())


def test_each_part_is_told_its_own_password_alone(tmp_path: Path) -> None:
    """And none by a command line; an empty `REDIS_URL` is none."""
    plan = parts.plan(UpSettings(state_directory=tmp_path), {"REDIS_URL": ""})
    passwords = redis_login.made(tmp_path, 1).passwords
    users = {
        part.name: urlsplit(part.environment.get("REDIS_URL", "")).username for part in plan.parts
    }
    words = " ".join(word for part in plan.parts for word in part.command)

    assert users == {
        **{"redis": None, "worker": "worker", "downloader": "worker", "bulk": "worker"},
        **{"api": "web", "flower": "flower"},
    }
    assert [name for name, each in passwords.items() if each in words] == []
    assert not any(each in str(plan.environment) for each in passwords.values())


def test_the_welcome_does_not_show_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where Redis is, and where its address with the password is."""
    monkeypatch.setenv("PETIOLE_UP_STATE_DIRECTORY", str(tmp_path))
    settings = UpSettings()
    plan = parts.plan(settings, {})
    said = str(up._welcome(plan, settings, seconds=1.0))

    assert redis_login.made(tmp_path, 1).passwords[OPERATOR] not in said
    assert "redis-url" in said


def test_a_command_in_the_folder_finds_the_embedded_redis(
    tmp_path: Path, original_environment: dict[str, str]
) -> None:
    """Celery's own too, which know nothing of this service but its settings."""
    redis_login.made(tmp_path / "var", 1234)
    program = "from tasks.settings import default_redis_url as u; print(u())"
    found = subprocess.check_output(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**original_environment, "PYTHONPATH": os.fspath(ROOT)},
        text=True,
    )

    assert found.startswith("redis://operator:")
    assert found.strip().endswith("@127.0.0.1:1234/0")


@pytest.mark.server
def test_up_names_the_right_that_a_redis_of_ones_own_does_not_give(
    run: Run, redis_url: str
) -> None:
    """In one line, before anything is started, with the command that gives it."""
    rules = ("~*", "&*", "+@all", "-hset", "resetchannels", "&petiole:*")
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">p#w", *rules)
    ended = run("up", REDIS_URL=redis_url.replace("//", "//narrow@"), REDIS_PASSWORD="p#w")  # noqa: S106 - of a server of this test

    assert ended.returncode == 1
    assert ended.stderr.startswith("petiole: broker and job store: it forbids its user 'narrow' ")
    assert "ACL SETUSER narrow " in ended.stderr
    assert {"+hset", "&/0.petiole.pidbox"} <= set(ended.stderr.split())
    assert ended.stderr.count("\n") == 1


@pytest.mark.server
def test_up_says_that_a_redis_does_not_know_the_password(run: Run, redis_url: str) -> None:
    """Nor does it show the one that it tried."""
    ended = run("up", REDIS_URL=redis_url.replace("//", "//nobody:wrong@"))

    assert ended.returncode == 1
    assert "it does not know our name and password; correct REDIS_URL" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "wrong" not in ended.stderr
