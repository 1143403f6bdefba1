"""The users of a started service's Redis: what a stolen address is good for, and where none is."""

import os
import subprocess
import sys

import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from petiole import redis_login
from tasks import redis_users
from tasks.redis_users import FLOWER, WEB, WORKER
from tests.conftest import ROOT
from tests.test_end_to_end.conftest import RunningService, command_of, denied


def address_of(service: RunningService, user: str) -> str:
    """Return what a part of the service is told."""
    port = int(service.environment["PETIOLE_UP_REDIS_PORT"])
    return redis_login.made(service.state, port).at(redis_login.url_of(port), user)


def control_of(service: RunningService, user: str) -> Celery:
    """Return an app that sends remote commands as one of the users."""
    app = Celery(set_as_current=False)
    app.conf.broker_transport_options = {"keeps_house": False}
    app.conf.broker_read_url = app.conf.broker_write_url = address_of(service, user)
    return app


def test_redis_answers_nobody_without_a_password(service: RunningService) -> None:
    """Who reaches the port on this machine alone is nobody yet."""
    port = int(service.environment["PETIOLE_UP_REDIS_PORT"])
    refusal = pytest.raises(redis.AuthenticationError, match="Authentication required")

    with redis.Redis(port=port, protocol=2) as client, refusal:
        client.ping()


@pytest.mark.parametrize("user", [WEB, WORKER])
def test_only_flower_ends_a_worker(service: RunningService, user: str) -> None:
    """The web process tells workers what to leave, by another channel; it sends no command."""
    worker = service.part("downloader").pid
    assert denied(service) == []
    refusal = pytest.raises(OperationalError, match="No permissions to access a channel")
    with control_of(service, user) as app, refusal:
        app.control.shutdown()
    with redis.Redis.from_url(service.redis_url) as client:
        client.acl_log_reset()
    with control_of(service, FLOWER) as app:
        answers = app.control.inspect(timeout=5).ping() or {}

    assert any(name.startswith("downloads@") for name in answers)
    assert service.part("downloader").pid == worker


def test_the_mailbox_of_the_web_takes_no_command_that_ends_a_worker(
    service: RunningService,
) -> None:
    """Not even with the right to its channel, and no signal but that of a soft time limit."""
    worker = service.part("downloader").pid
    with control_of(service, redis_users.OPERATOR) as app:
        app.conf.control_exchange = "petiole"
        app.control.shutdown()
        app.control.pool_restart()
        said = app.control.revoke("x", terminate=True, signal="SIGKILL", reply=True, timeout=5)
        alive = app.control.inspect(timeout=5).ping() or {}

    assert [each for answer in said for each in answer.values() if "ok" in each] == []
    assert len(said) >= 2
    assert any(name.startswith("downloads@") for name in alive)
    assert service.part("downloader").pid == worker


def test_no_password_of_redis_is_shown(service: RunningService) -> None:
    """In no log, in no command line, and on no page."""
    folder = redis_login.directory_of(service.state)
    passwords = [(folder / name).read_text().strip() for name in redis_users.NAMES]
    logs = [file.read_text() for file in service.state.glob("logs/*") if file.is_file()]
    said = [
        service.log.read_text(),
        *logs,
        *(command_of(process) for process in service.processes()),
        service.get("/readyz").text,
    ]

    assert len(said) > 10
    assert [each for each in passwords for text in said if each in text] == []


def test_a_part_has_the_password_of_its_user_alone(service: RunningService) -> None:
    """Who reads the memory of the web process has none of Flower's or of the operator's."""
    folder = redis_login.directory_of(service.state)
    for part, user in {"api": WEB, "worker": WORKER, "flower": FLOWER}.items():
        seen = "\n".join(service.part(part).environ().values())
        known = [n for n in redis_users.NAMES if (folder / n).read_text().strip() in seen]
        assert known == [user]


@pytest.mark.parametrize("options", [(), ("--live",), ("--ready",)])
@pytest.mark.parametrize(("name", "status"), [("downloads", 0), ("nobody", 1)])
def test_a_health_check_asks_one_worker(
    service: RunningService, name: str, status: int, options: tuple[str, ...]
) -> None:
    """As the user that it is there: it may not send Celery's own commands."""
    node = f"{name}@{os.uname().nodename}"
    environment = {**service.environment, "REDIS_URL": address_of(service, WORKER)}
    command = [sys.executable, "-m", "tasks.ping", node, *options]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, "Traceback" in ended.stderr) == (status, False), ended.stderr
