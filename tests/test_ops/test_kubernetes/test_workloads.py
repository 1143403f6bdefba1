"""Each workload under `deploy/kubernetes` against the program that it runs."""

import importlib
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from api import create_app, gunicorn_conf
from model_store import environment as variables
from petiole import parts
from petiole.settings import FlowerSettings
from petiole.variables import READ_ELSEWHERE, all_settings
from tests import manifests
from tests.conftest import ROOT
from tests.manifests import Object, containers, environment, of_kind, pods, probes

WORKERS = {"worker": "classify", "downloader": "downloads", "bulk": "bulk"}
USERS = {
    **dict.fromkeys(WORKERS, "worker"),
    **{"api": "web", "flower": "flower", "judge": "operator"},
}
OF_STRANGERS = {*WORKERS, "api", "flower"}
DRAINED = {"api", *WORKERS}


def test_the_workloads_are_those_of_compose(
    objects: list[Object], services: dict[str, Object]
) -> None:
    """Nothing but what Compose starts on demand is missing."""
    on_demand = {name for name, service in services.items() if "profiles" in service}

    assert set(pods(objects)) == set(services) - on_demand


@pytest.mark.parametrize("name", [*WORKERS, "api", "flower"])
def test_each_container_runs_the_command_of_make_run(
    objects: list[Object], name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With two children where a pod has two cores: a node may have many more."""
    monkeypatch.setenv("FLOWER_ADDRESS", "0.0.0.0")  # noqa: S104 - inside its container
    part = {
        "worker": parts.worker(2),
        "downloader": parts.downloader(16),
        "bulk": parts.bulk_worker(2),
        "api": parts.http_api(tmp_path),
        "flower": parts.flower(FlowerSettings(port=5555)),
    }[name]

    assert ["python", *part.command[1:]] == containers(objects)[name]["command"]


@pytest.mark.parametrize("name", ["judge", "models", "redis"])
def test_the_other_commands_are_those_of_compose(
    objects: list[Object], services: dict[str, Object], name: str
) -> None:
    """But for the folder of Redis, which its image has by itself."""
    container, service = containers(objects)[name], services[name]
    words = [*service.get("entrypoint", []), *service["command"]]
    written = [re.sub(r"^\$\{\w+:-(\w+)\}$", r"\1", word) for word in words]
    more = ["--dir", "/data"] if name == "redis" else []

    assert [*written, *more] == [*container["command"], *container.get("args", [])]


def test_images_are_those_of_the_dockerfile_and_of_compose(
    objects: list[Object], services: dict[str, Object], folders: dict[str, Path]
) -> None:
    """Each workload has the image of its service; a registry is named by who has one."""
    for name, container in containers(objects).items():
        image = container["image"].rpartition("/")[2]
        assert (
            image.removesuffix(f":{version('petiole')}")
            == services[name]["image"].rpartition("/")[2]
        )


@pytest.mark.parametrize("name", USERS)
def test_every_variable_is_a_setting(objects: list[Object], name: str) -> None:
    """And its value one that the setting takes."""
    said = {n: v for n, v in environment(objects, name).items() if n.startswith("PETIOLE_")}
    known = {n: each for each in all_settings() for n in variables.names_of(each)}

    assert set(said) <= {*known, *READ_ELSEWHERE}
    for variable, value in said.items():
        settings = known[variable]
        field = variable.removeprefix(variables.prefix_of(settings)).lower()
        assert getattr(settings(**{field: value}), field) is not None


@pytest.mark.parametrize("name", WORKERS)
def test_workers_have_the_environment_of_make_run(objects: list[Object], name: str) -> None:
    """Among it is what makes SIGTERM a shutdown that loses no picture; a child has one thread."""
    said = environment(objects, name)

    assert parts.WORKER_ENVIRONMENT.items() <= said.items()
    assert said["PETIOLE_MODELS_INTRA_OP_THREADS"] == "1"


@pytest.mark.parametrize(("name", "user"), USERS.items())
def test_each_part_is_a_user_of_redis_with_its_own_password(
    objects: list[Object], name: str, user: str
) -> None:
    """Nobody but the server has another's."""
    secrets = {secret for secret, key in manifests.secret_keys(objects, name) if "redis" in secret}

    assert environment(objects, name)["REDIS_URL"] == f"redis://{user}@redis:6379/0"
    assert [re.sub(r"-\w{10}$", "", secret) for secret in secrets] == [f"redis-{user}"]


def test_every_secret_and_setting_that_is_named_is_made(objects: list[Object]) -> None:
    """A name with its key; a pod with another one would never start."""
    made = {n: each["data"].keys() for n, each in of_kind(objects, "Secret").items()}
    for name in pods(objects):
        assert all(key in made[secret] for secret, key in manifests.secret_keys(objects, name))
        assert environment(objects, name) is not None
        mounted = {
            volume[kind]["name"]
            for volume in pods(objects)[name]["volumes"]
            for kind in ("configMap",)
            if kind in volume
        }
        assert mounted <= set(of_kind(objects, "ConfigMap"))


def test_no_pod_has_more_rights_than_it_needs(objects: list[Object]) -> None:
    """No root, no token, no address of another Service as a variable, nothing to write but /tmp."""
    for pod in pods(objects).values():
        (container,) = pod["containers"]
        assert not pod["automountServiceAccountToken"]
        assert not pod["enableServiceLinks"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"].keys() == {"requests", "limits"}
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}  # noqa: S108


def test_who_reads_a_strangers_bytes_may_not_write_to_the_models(
    all_objects: dict[str, list[Object]],
) -> None:
    """On the volume by how it is mounted, in the bucket by another login."""
    mounts = {
        name: {m["name"]: not m.get("readOnly") for m in container["volumeMounts"]}
        for name, container in containers(all_objects["volume"]).items()
    }
    writers = {name for name, mount in mounts.items() if mount.get("models")}
    with_login = {
        name
        for name in pods(all_objects["s3"])
        if any("s3-writer" in s for s, _ in manifests.secret_keys(all_objects["s3"], name))
    }

    assert writers == with_login == {"judge", "models"}
    assert {name for name, mount in mounts.items() if "models" in mount} == {
        *("judge", "models", "api", "worker", "bulk")
    }
    assert {name for name, mount in mounts.items() if mount.get("uploads")} == {"api", *WORKERS}


def test_volumes_are_mounted_where_the_images_look(all_objects: dict[str, list[Object]]) -> None:
    """A shared store is on a claim that many nodes can mount."""
    objects = all_objects["volume"]
    claims = of_kind(objects, "PersistentVolumeClaim")
    said = dict(re.findall(r"PETIOLE_(\w+)_STORE_URL=(\S+)", (ROOT / "Dockerfile").read_text()))
    mounts = {
        (mount["name"], mount["mountPath"])
        for container in containers(objects).values()
        for mount in container["volumeMounts"]
        if mount["name"] in claims
    }

    assert mounts == {("uploads", said["TASKS_IMAGE"]), ("models", said["MODELS"])}
    assert all(each["spec"]["accessModes"] == ["ReadWriteMany"] for each in claims.values())


def test_probes_ask_what_the_programs_answer(objects: list[Object]) -> None:
    """Routes that exist, at a port that is listened on, and workers by their own names."""
    routes = {rule.rule for rule in create_app().url_map.iter_rules()} | {"/healthcheck"}
    for name, container in containers(objects).items():
        for probe in probes(container).values():
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in routes
                assert probe["httpGet"]["port"] in {port["name"] for port in container["ports"]}
            elif name in WORKERS:
                node = f"tasks.ping {WORKERS[name]}@$HOSTNAME"
                assert node in probe["exec"]["command"][-1]
                assert f"{WORKERS[name]}@%h" in container["command"]


def test_every_lasting_pod_is_probed(objects: list[Object]) -> None:
    """All have a start that may take its time, and an end of patience, but for the judge."""
    for name, container in containers(objects).items():
        whole = {"startupProbe", "livenessProbe", "readinessProbe"}
        fewer = {"judge": {"readinessProbe"}, "models": set()}
        assert set(probes(container)) == fewer.get(name, whole)


def test_no_probe_ends_a_part_for_anothers_fault(objects: list[Object]) -> None:
    """Without a worker the API takes jobs, so /readyz, which asks for one, is no probe of it."""
    found = {name: probes(container) for name, container in containers(objects).items()}

    assert {p["httpGet"]["path"] for p in found["api"].values()} == {"/livez"}
    for name in WORKERS:
        assert found[name]["livenessProbe"]["exec"]["command"][-1].endswith(" --live")
        assert found[name]["readinessProbe"]["exec"]["command"][-1].endswith(" --ready")


def test_a_pod_has_time_for_its_end(objects: list[Object]) -> None:
    """The pause before it, the program's own limit, and ten seconds to hand back what is left."""
    soft = importlib.import_module("celeryconfig").worker_soft_shutdown_timeout
    limits = {"api": gunicorn_conf.graceful_timeout, **dict.fromkeys(WORKERS, soft)}
    for name, limit in limits.items():
        pod, container = pods(objects)[name], containers(objects)[name]
        pause = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        pause_seconds = int(pause[1]) if pause else 0
        assert pod["terminationGracePeriodSeconds"] >= pause_seconds + limit + 10
    assert containers(objects)["api"]["lifecycle"]["preStop"]["exec"]["command"][0] == "sleep"


def test_ports_are_those_that_are_listened_on(objects: list[Object]) -> None:
    """Of the programs' settings, of the Services, and of the walls between the pods."""
    ports = {"api": 8000, "flower": 5555, "redis": 6379}
    listening = containers(objects)

    assert ports["api"] == all_settings()[0].model_fields["port"].default
    assert {n: p["containerPort"] for n in ports for p in listening[n]["ports"]} == ports
    for name, service in of_kind(objects, "Service").items():
        (port,) = service["spec"]["ports"]
        assert service["spec"]["selector"][manifests.NAME] == name
        assert port["port"] == ports[name]
        assert port["targetPort"] == listening[name]["ports"][0]["name"]


def test_every_budget_guards_a_workload(objects: list[Object]) -> None:
    """Those that are drained one after the other; a drain of a node never waits for ever."""
    budgets = of_kind(objects, "PodDisruptionBudget")
    makers = of_kind(objects, "Deployment")

    assert set(budgets) == DRAINED
    for name, budget in budgets.items():
        labels = budget["spec"]["selector"]["matchLabels"]
        assert labels.items() <= makers[name]["spec"]["template"]["metadata"]["labels"].items()
        assert "maxUnavailable" in budget["spec"] or makers[name]["spec"]["replicas"] > 1


def test_memory_is_that_which_the_programs_may_take(objects: list[Object]) -> None:
    """A worker's children by Celery's limit, Redis by its own."""
    kib = importlib.import_module("celeryconfig").worker_max_memory_per_child
    limits = {n: each["resources"]["limits"]["memory"] for n, each in containers(objects).items()}

    for name in ("worker", "bulk"):
        assert int(limits[name].removesuffix("Gi")) * 1024**2 > 2 * kib
    redis_bytes = int(containers(objects)["redis"]["args"][8])
    assert int(limits["redis"].removesuffix("Mi")) * 1024**2 > 2 * redis_bytes


def test_the_users_of_redis_are_those_that_are_shipped(objects: list[Object]) -> None:
    """The file is mounted, and no copy of it."""
    (users,) = [
        each["data"] for n, each in of_kind(objects, "ConfigMap").items() if "redis-users" in n
    ]

    for name in ("start.sh", "users.acl"):
        assert users[name] == (ROOT / "deploy" / "redis" / name).read_text()
