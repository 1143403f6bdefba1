"""`deploy/systemd` against the parts, as the Compose file is held against them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import redis
from redis.exceptions import NoPermissionError

from model_store import environment as variables
from petiole import parts
from petiole.settings import FlowerSettings, UpSettings
from petiole.variables import all_settings
from tasks import redis_users
from tasks.settings import redis_url_of
from tests.conftest import free_port
from tests.test_end_to_end.conftest import wait_until
from tests.test_ops.conftest import ROOT

UNITS = ROOT / "deploy" / "systemd"
PYTHON = "/opt/petiole/.venv/bin/python"
WORKERS = ["petiole-worker@", "petiole-downloader", "petiole-bulk", "petiole-trainer"]
ETC, PASSWORDS = "/etc/petiole", UNITS / "redis-passwords.sh"
START = ["/bin/sh", "/opt/petiole/deploy/redis/start.sh"]
USERS = {"petiole-api": "web", "petiole-flower": "flower", "petiole-judge": "operator"}
SERVICES = sorted(path.stem for path in UNITS.glob("*.service"))


def values(unit: str, key: str) -> list[str]:
    """Return all values that a service has for a key."""
    text = (UNITS / f"{unit}.service").read_text()
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


def command(unit: str) -> list[str]:
    """Return the command of a service, as systemd reads it."""
    (line,) = values(unit, "ExecStart")
    return [word.replace("%%", "%") for word in shlex.split(line)]


def environment(unit: str) -> dict[str, str]:
    """Return the environment that a service sets itself."""
    return dict(line.split("=", 1) for line in values(unit, "Environment"))


@pytest.mark.parametrize(
    "name", ["worker", "downloader", "bulk", "quantizer", "trainer", "api", "flower"]
)
def test_each_unit_runs_the_command_of_make_run(name: str, tmp_path: Path) -> None:
    """Apart from the path of the interpreter, and a worker's name for its generation."""
    threads = UpSettings.model_fields["download_threads"].default
    part, unit = {
        "worker": (parts.of_generation(parts.worker(), "%i"), "petiole-worker@"),
        "downloader": (parts.downloader(threads), "petiole-downloader"),
        "bulk": (parts.bulk_worker(), "petiole-bulk"),
        "quantizer": (parts.quantizer(200, "imagenet"), "petiole-quantizer"),
        "trainer": (parts.trainer(), "petiole-trainer"),
        "api": (parts.http_api(tmp_path), "petiole-api"),
        "flower": (parts.flower(FlowerSettings(port=5555)), "petiole-flower"),
    }[name]

    assert [PYTHON, *part.command[1:]] == command(unit)


def test_redis_has_the_options_of_make_run(tmp_path: Path) -> None:
    """Durability is the same, and so is the address; the directory is the machine's."""
    part = parts.redis(6390, tmp_path)
    here, there = str(tmp_path), "/var/lib/petiole/redis"

    assert [*START, "/usr/bin/valkey-server", *part.command[1:]] == [
        word.replace(there, here) for word in command("petiole-redis")
    ]


@pytest.mark.parametrize("unit", WORKERS)
def test_workers_have_the_environment_of_make_run(unit: str) -> None:
    """Among it is what makes SIGTERM a shutdown that loses no picture."""
    assert parts.WORKER_ENVIRONMENT.items() <= environment(unit).items()


@pytest.mark.parametrize("unit", [*WORKERS, "petiole-api"])
def test_a_stop_or_a_lack_of_memory_takes_no_more_than_it_must(unit: str) -> None:
    """The children do not hear the signal, and a killed child does not end the unit."""
    assert (values(unit, "KillMode"), values(unit, "OOMPolicy")) == (["mixed"], ["continue"])


@pytest.mark.parametrize("unit", SERVICES)
def test_every_unit_is_restarted_and_has_composes_patience(
    unit: str, services: dict[str, dict[str, str]]
) -> None:
    """What ends by itself begins again; what is stopped may hand its work back."""
    grace = services["worker"]["stop_grace_period"].removesuffix("s")

    assert (["always"], [grace]) == (values(unit, "Restart"), values(unit, "TimeoutStopSec"))


@pytest.mark.parametrize("unit", SERVICES)
def test_who_reads_a_strangers_bytes_may_not_write_to_the_models(unit: str) -> None:
    """Nobody is root, and only those that look after models may write to them."""
    looks_after_models = unit in {
        *("petiole-judge", "petiole-quantizer", "petiole-trainer", "petiole-redis"),
    }
    read_only = values(unit, "ReadOnlyPaths") == ["-/var/lib/petiole/models"]

    assert values(unit, "User") == ["petiole"]
    assert read_only != looks_after_models


def test_the_target_starts_all_that_runs_by_itself() -> None:
    """Every unit but those for int8 and for training, the worker as its first generation."""
    text = (UNITS / "petiole.target").read_text()
    wanted = {
        unit for line in re.findall(r"^Wants=(.*)$", text, re.MULTILINE) for unit in line.split()
    }
    on_demand = {"petiole-quantizer", "petiole-trainer"}

    assert {unit.removesuffix(".service").replace("@1", "@") for unit in wanted} == (
        set(SERVICES) - on_demand
    )


def test_the_environment_has_settings_alone() -> None:
    """And every unit that reads it finds it where the page puts it."""
    text, page = ((UNITS / name).read_text() for name in ("petiole.env", "README.md"))
    names = set(re.findall(r"^(\w+)=", text, re.MULTILINE))
    known = {name for each in all_settings() for name in variables.names_of(each)}

    assert names <= known | {"FLOWER_BASIC_AUTH"}
    for unit in set(SERVICES) - {"petiole-redis"}:
        user = USERS.get(unit, "worker")
        assert values(unit, "EnvironmentFile") == [f"{ETC}/petiole.env", f"{ETC}/{user}.env"]
    assert values("petiole-redis", "EnvironmentFile") == [f"{ETC}/redis.env"]
    assert "deploy/systemd/petiole.env /etc/petiole/petiole.env" in page


def test_redis_knows_the_users_whose_passwords_were_made(tmp_path: Path) -> None:
    """A real server behind the unit's command; each user's file leads in, and may what it may."""
    folder, port = tmp_path / "etc", free_port()
    made, again = (
        subprocess.run(["sh", str(PASSWORDS), str(folder)], check=False, capture_output=True)
        for _ in range(2)
    )
    program = parts.redis(0, tmp_path).command[0]
    line = " ".join(command("petiole-redis")).replace("/opt/petiole", str(ROOT))
    line = line.replace("/usr/bin/valkey-server", program).replace("6390", str(port))
    words = shlex.split(line.replace("/var/lib/petiole/redis", str(tmp_path)))
    environment = read(folder / "redis.env") | {"PETIOLE_REDIS_USERS_FILE": str(tmp_path / "users")}
    server = subprocess.Popen(
        words, env={"PATH": os.environ["PATH"], **environment}, stdout=subprocess.DEVNULL
    )
    try:
        clients = {
            user: client_of(read(folder / f"{user}.env"), port) for user in redis_users.NAMES
        }
        wait_until(lambda: answers(clients["web"]))
        assert all(map(answers, clients.values()))
        for user, client in clients.items():
            may_all = user == redis_users.OPERATOR
            with nullcontext() if may_all else pytest.raises(NoPermissionError):
                client.keys()
    finally:
        server.terminate()
        server.wait(timeout=10)

    assert (made.returncode, again.returncode) == (0, 1)
    assert b"is there already" in again.stderr
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def read(path: Path) -> dict[str, str]:
    """Return the variables of a file as systemd reads it."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def client_of(environment: dict[str, str], port: int) -> redis.Redis:
    """Return a client of the server at `port` as a process with an environment is one."""
    return redis.Redis.from_url(redis_url_of(environment).replace("6390", str(port)))


def answers(client: redis.Redis) -> bool:
    """Tell whether the server lets a client in."""
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_the_page_names_units_that_there_are() -> None:
    """Each unit in its commands is a file here, and each file is of a kind that a test reads."""
    page = (UNITS / "README.md").read_text()
    named = set(re.findall(r"petiole-[a-z]+@?", page))

    assert named <= set(SERVICES)
    assert {path.name for path in UNITS.iterdir() if path.suffix != ".service"} == {
        *("README.md", "petiole.env", "petiole.target", "redis-passwords.sh")
    }


def test_every_folder_of_deploy_has_its_tests() -> None:
    """These, and those of Redis' start, Kubernetes and Prometheus, which know their own files."""
    folders = {path.name for path in UNITS.parent.iterdir()}
    of_redis = {path.name for path in (UNITS.parent / "redis").iterdir()}

    assert folders == {"systemd", "redis", "kubernetes", "prometheus", "grafana"}
    assert of_redis == {"start.sh", "users.acl", "kustomization.yaml"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """With programs that exist on this machine, it finds nothing to say."""
    for path in UNITS.glob("petiole*"):
        text = path.read_text().replace(PYTHON, sys.executable)
        text = text.replace("/opt/petiole/.venv/bin/petiole", sys.executable)
        text = text.replace(" ".join(START), sys.executable)
        (tmp_path / path.name.replace("@", "@1")).write_text(text)
    units = [str(path) for path in tmp_path.glob("petiole*.service")]
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "\n".join(line for line in ended.stderr.splitlines() if "petiole" in line) == ""
