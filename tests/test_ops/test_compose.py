"""`docker-compose.yml` and `.env.example`, without a container engine."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from petiole import parts
from petiole.settings import FlowerSettings, UpSettings
from tasks import redis_users
from tasks.tracing import recording

Services = dict[str, dict[str, Any]]

NAMES = [
    "redis",
    "models",
    "worker",
    "downloader",
    "bulk",
    "judge",
    "quantizer",
    "trainer",
    "api",
    "flower",
]
OF_STRANGERS = {"worker", "downloader", "bulk", "api", "flower"}
"""What handles bytes that anybody may send."""


def test_the_file_fits_the_compose_schema(root: Path) -> None:
    """Compose would take every key of the file."""
    tool = Path(sys.executable).with_name("check-jsonschema")
    file = root / "docker-compose.yml"
    command = [str(tool), "--builtin-schema", "vendor.compose-spec", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout


def test_the_services_are_the_parts_the_model_and_the_judge(services: Services) -> None:
    """Nothing that `make run` starts is missing in Compose; there its workers judge."""
    assert sorted(NAMES) == sorted(services)


@pytest.mark.parametrize("name", ["worker", "downloader", "bulk", "trainer", "api", "flower"])
def test_each_service_runs_the_command_of_make_run(
    services: Services, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A container runs what `make run` runs, apart from the path of the interpreter."""
    monkeypatch.setenv("FLOWER_ADDRESS", "0.0.0.0")  # noqa: S104 - inside its container
    threads = UpSettings.model_fields["download_threads"].default
    part = {
        "worker": parts.worker(),
        "downloader": parts.downloader(threads),
        "bulk": parts.bulk_worker(),
        "trainer": parts.trainer(),
        "api": parts.http_api(tmp_path),
        "flower": parts.flower(FlowerSettings(port=5555)),
    }[name]

    assert ["python", *part.command[1:]] == services[name]["command"]


def test_redis_has_the_options_of_make_run(services: Services, tmp_path: Path) -> None:
    """Durability is the same; only port, address and directory are the container's."""
    words = list(parts.redis(6379, tmp_path).command[1:])
    for option in ("--port", "--bind", "--dir"):
        place = words.index(option)
        del words[place : place + 2]

    command = [re.sub(r"^\$\{\w+:-(\w+)\}$", r"\1", word) for word in services["redis"]["command"]]

    assert ["valkey-server", *words] == command


@pytest.mark.parametrize("name", ["worker", "downloader", "bulk", "trainer"])
def test_workers_have_the_environment_of_make_run(services: Services, name: str) -> None:
    """Among it is what makes SIGTERM a shutdown that loses no picture."""
    environment = services[name]["environment"]

    assert parts.WORKER_ENVIRONMENT.items() <= environment.items()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "models"])
def test_every_lasting_service_has_a_health_check(services: Services, name: str) -> None:
    """Docker can tell whether each part works."""
    assert services[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", ["worker", "downloader", "bulk", "trainer"])
def test_a_worker_pings_itself_by_its_own_name(services: Services, name: str) -> None:
    """The node name in the health check is the one that the command gives."""
    node = next(word for word in services[name]["command"] if word.endswith("@%h"))
    probe = services[name]["healthcheck"]["test"][1]

    assert node.replace("%h", "$$HOSTNAME") in probe.split()


@pytest.mark.parametrize("name", NAMES)
def test_no_service_has_more_rights_than_it_needs(services: Services, name: str) -> None:
    """No root, no capability, no writable root file system, and an init that reaps."""
    service = services[name]

    assert service["user"] in {"10001", "valkey"}
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"]
    assert service["init"]


def test_the_stop_leaves_time_for_the_soft_shutdown(services: Services) -> None:
    """Docker must not kill a worker that still hands its pictures back."""
    soft = importlib.import_module("celeryconfig").worker_soft_shutdown_timeout
    grace = int(services["worker"]["stop_grace_period"].removesuffix("s"))

    assert grace >= soft + 10


def test_the_worker_waits_for_the_model(services: Services) -> None:
    """A worker never starts beside an empty model store."""
    condition = services["worker"]["depends_on"]["models"]["condition"]

    assert condition == "service_completed_successfully"


def mounts(services: Services, name: str) -> list[str]:
    """Return the modes in which a service sees the models: `rw` or `ro`."""
    volumes = [volume.split(":") for volume in services[name].get("volumes", [])]
    return [(rest or ["rw"])[0] for source, _, *rest in volumes if source == "models"]


def test_what_carries_out_verdicts_may_write_to_the_models(services: Services) -> None:
    """A gate decides under Compose: with the figures of this Redis, in the store of all."""
    judge = services["judge"]
    same = ("PETIOLE_TASKS_JOB_STORE_URL", "PETIOLE_MODELS_STORE_URL")

    assert judge["command"] == ["petiole", "models", "judge", "--watch"]
    assert mounts(services, "judge") == ["rw"]
    assert judge["environment"]["REDIS_URL"] == "redis://operator@redis:6379/0"
    for name in same:
        assert judge["environment"].get(name) == services["worker"]["environment"].get(name)


def test_int8_is_made_where_it_is_asked_for(services: Services) -> None:
    """Only with its profile, as it keeps pictures for a while; by the command of `make run`."""
    quantizer = services["quantizer"]
    words = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in quantizer["command"]]

    assert quantizer["profiles"] == ["int8"]
    assert ["python", *parts.quantizer(200, "imagenet").command[1:]] == words
    assert "uploads:/srv/petiole/uploads" in quantizer["volumes"]


@pytest.mark.parametrize("name", NAMES)
def test_who_reads_a_strangers_bytes_may_not_write_to_the_models(
    services: Services, name: str
) -> None:
    """A hole in a decoder of pictures must not become a model that every host loads."""
    writes = "rw" in mounts(services, name)

    assert writes == (name in {"models", "judge", "quantizer", "trainer"})
    assert not (writes and name in OF_STRANGERS)


def test_ports_are_bound_to_loopback_by_default(services: Services) -> None:
    """Nothing is open to the network until the operator says so, and Redis never is."""
    ports = {name: port for name in services for port in services[name].get("ports", [])}

    assert {"api", "flower"} == set(ports)
    assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for port in ports.values())


def test_flower_does_not_start_without_a_password(services: Services) -> None:
    """Compose stops with a message when FLOWER_BASIC_AUTH is missing."""
    assert services["flower"]["environment"]["FLOWER_BASIC_AUTH"].startswith(
        "${FLOWER_BASIC_AUTH:?"
    )


def test_the_example_names_every_variable(
    root: Path, services: Services, compose_text: str
) -> None:
    """`.env.example` lists what the Compose file reads from `.env`, and nothing else."""
    example = (root / ".env.example").read_text()
    written = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    passed_on = {
        name
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }

    assert set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", compose_text)) | passed_on == written


@pytest.mark.parametrize("name", NAMES)
def test_those_that_record_traces_are_told_where_to_send_them(
    services: Services, name: str
) -> None:
    """From `.env`, and nobody else: what a collector asks for may be a secret."""
    told = services[name].get("environment", {})
    named = {variable for variable in told if variable.startswith("OTEL_")}
    records = {"api", "worker", "downloader", "bulk", "trainer"}

    assert bool(named) == (name in records)
    assert name not in records or {recording.ENDPOINTS[0], "OTEL_SERVICE_NAME"} <= named
    assert all(told[variable] is None for variable in named)


def test_images_of_compose_are_built_with_traces_where_env_says_so(services: Services) -> None:
    """Both of them, so that a trace is whole; without them by default."""
    built = {s["image"]: s["build"] for s in services.values() if "build" in s}

    assert sorted(built) == ["petiole-api", "petiole-worker"]
    assert {str(each["args"]) for each in built.values()} == {
        str({"TRACES": "${PETIOLE_TRACES:-false}"})
    }


def test_compose_asks_for_keys(services: Services) -> None:
    """A stranger with the file alone cannot start it open: no setting of `.env` reaches these."""
    said = services["api"]["environment"]

    assert said["PETIOLE_API_REQUIRE_KEYS"] == "true"
    assert "PETIOLE_API_INSECURE" not in said


USERS = {
    **dict.fromkeys(("worker", "downloader", "bulk", "quantizer", "trainer"), "worker"),
    **{"api": "web", "flower": "flower", "judge": "operator"},
}


@pytest.mark.parametrize(("name", "user"), USERS.items())
def test_each_part_is_a_user_of_redis(services: Services, name: str, user: str) -> None:
    """With a password of its own, without which Compose starts nothing."""
    said = services[name]["environment"]

    assert said["REDIS_URL"] == f"redis://{user}@redis:6379/0"
    assert said["REDIS_PASSWORD"].startswith(f"${{PETIOLE_REDIS_{user.upper()}_PASSWORD:?")


def test_compose_has_no_password_of_redis_by_default(root: Path, compose_text: str) -> None:
    """Neither file has one; and what is empty or missing stops Compose."""
    settings = [f"PETIOLE_REDIS_{user.upper()}_PASSWORD" for user in redis_users.NAMES]
    example = (root / ".env.example").read_text().splitlines()

    assert set(re.findall(r"\$\{(PETIOLE_REDIS_\w+_PASSWORD)", compose_text)) == set(settings)
    assert not re.findall(r"\$\{PETIOLE_REDIS_\w+_PASSWORD(?!:\?)", compose_text)
    assert {f"{setting}=" for setting in settings} <= set(example)


def test_no_part_of_compose_has_anothers_password(services: Services) -> None:
    """Only the server has all of them."""
    for name, user in USERS.items():
        said = str(services[name])
        assert set(re.findall(r"PETIOLE_REDIS_(\w+)_PASSWORD", said)) == {user.upper()}
