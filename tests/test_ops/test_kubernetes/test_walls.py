"""Who reaches whom in the cluster, what is secret, and what scales the workers."""

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from api import access, create_app
from tests import manifests
from tests.conftest import ROOT
from tests.manifests import Object, chosen, environment, of_kind, pods

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def policies(objects: list[Object]) -> dict[str, Object]:
    """Return the walls by name."""
    return {n: each["spec"] for n, each in of_kind(objects, "NetworkPolicy").items()}


def test_nobody_reaches_anybody_by_default(objects: list[Object]) -> None:
    """What is not said is not let through, in or out."""
    assert policies(objects)["nobody"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_who_has_an_address_of_redis_reaches_it_and_nobody_else(objects: list[Object]) -> None:
    """On both sides of the wall."""
    named = {name for name in pods(objects) if "REDIS_URL" in environment(objects, name)}
    walls = policies(objects)
    ((source,),) = [rule["from"] for rule in walls["redis"]["ingress"]]

    assert chosen(objects, source["podSelector"]) == named
    assert chosen(objects, walls["to-redis"]["podSelector"]) == named
    assert chosen(objects, walls["redis"]["podSelector"]) == {"redis"}


def test_every_wall_stands_around_a_pod_that_is_there(objects: list[Object]) -> None:
    """A name that nobody has would let nobody through and say nothing."""
    for wall in policies(objects).values():
        assert chosen(objects, wall["podSelector"]) <= set(pods(objects))


def test_the_downloader_reaches_no_private_network(objects: list[Object]) -> None:
    """Whatever address its checks would let through; and no other pod reaches the internet."""
    (rule,) = policies(objects)["downloader"]["egress"]
    private = {network for each in rule["to"] for network in each["ipBlock"]["except"]}
    outwards = {
        name
        for name, wall in policies(objects).items()
        for rule in wall.get("egress", [])
        if "to" not in rule or any("ipBlock" in each for each in rule["to"])
    }

    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= private
    assert outwards - {"to-bucket"} == {"downloader"}
    assert "downloader" not in chosen(
        objects,
        policies(objects).get(
            "to-bucket", {"podSelector": {"matchLabels": {manifests.NAME: "nobody"}}}
        )["podSelector"],
    )


def test_who_records_spans_reaches_the_collector(all_objects: dict[str, list[Object]]) -> None:
    """At the address that its settings name, whose namespace and port the wall lets through."""
    objects = all_objects["traced"]
    wall = policies(objects)["to-collector"]
    (rule,) = wall["egress"]
    told = {n: environment(objects, n).get(ENDPOINT) for n in ("api", "worker", "bulk")}
    (address,) = set(told.values())
    name, namespace, _ = urlsplit(address).hostname.split(".")
    (to,) = rule["to"]

    assert chosen(objects, wall["podSelector"]) == {"downloader", *told}
    assert rule["ports"] == [{"port": urlsplit(address).port}]
    assert to["namespaceSelector"]["matchLabels"].popitem()[1] == namespace
    assert to["podSelector"]["matchLabels"][manifests.NAME] == name
    assert "to-collector" not in policies(all_objects["mine"])


def test_no_password_is_ever_committed() -> None:
    """Git leaves out what make.sh writes, and the logins of the bucket and of KEDA."""
    names = ["secrets/redis-web.env", "secrets/flower.env", "s3/writer.env", "keda/keda.env"]
    paths = [f"deploy/kubernetes/{name}" for name in names]
    told = subprocess.run(
        ["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert told.stdout.split() == paths


def test_make_sh_makes_each_another_password_and_keeps_those_there_are(tmp_path: Path) -> None:
    """None is readable by others; a second call changes nothing."""
    folder = manifests.prepared(tmp_path) / "secrets"
    made = {file.name: file.read_text() for file in folder.glob("*.env")}
    subprocess.run(["sh", str(folder / "make.sh")], check=True)

    assert {file.name: file.read_text() for file in folder.glob("*.env")} == made
    assert len({text.rpartition("=")[2] for text in made.values()}) == len(made) == 5
    assert all(len(text) > 40 for text in made.values())
    assert {file.stat().st_mode & 0o077 for file in folder.glob("*.env")} == {0}


@pytest.fixture
def client(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a fresh API in eager mode."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    return create_app().test_client()


def test_keda_asks_for_numbers_that_the_api_gives(
    all_objects: dict[str, list[Object]], client: FlaskClient
) -> None:
    """At its Service, under the name of the queue that the scaled worker takes."""
    objects = all_objects["mine"]
    for name, scaled in of_kind(objects, "ScaledObject").items():
        queues = set()
        for trigger in scaled["spec"]["triggers"]:
            url = urlsplit(trigger["metadata"]["url"])
            assert f"{url.hostname}:{url.port}" == "api.petiole.svc:8000"
            assert client.get(url.path).json[trigger["metadata"]["valueLocation"]] == 0
            queues.add(trigger["metadata"]["valueLocation"])
        command = manifests.containers(objects)[name]["command"]
        assert set(command[command.index("-Q") + 1].split(",")) == queues


def test_keda_scales_deployments_whose_number_nobody_else_says(
    all_objects: dict[str, list[Object]],
) -> None:
    """Applying the manifests anew leaves the workers alone; where webhooks are told, one stays."""
    objects = all_objects["mine"]
    scaled = of_kind(objects, "ScaledObject")

    assert {n: each["spec"]["scaleTargetRef"]["name"] for n, each in scaled.items()} == {
        name: name for name in ("worker", "downloader", "bulk")
    }
    assert not any("replicas" in of_kind(objects, "Deployment")[name]["spec"] for name in scaled)
    assert {n: each["spec"]["minReplicaCount"] for n, each in scaled.items()} == {
        **{"worker": 0, "bulk": 0, "downloader": 1}
    }


def test_kedas_key_is_found_and_opens_the_route(all_objects: dict[str, list[Object]]) -> None:
    """By the name that it has, which no rendering changes; its scope is that of the document."""
    objects = all_objects["mine"]
    (auth,) = of_kind(objects, "TriggerAuthentication").values()
    (target,) = auth["spec"]["secretTargetRef"]
    page = (ROOT / "docs" / "kubernetes.md").read_text()

    assert target["key"] in of_kind(objects, "Secret")[target["name"]]["data"]
    assert access.MODELS in access.NEEDED["metrics"]
    assert "petiole keys create keda --scope models" in page
