"""`deploy/kubernetes` as kustomize renders it, without a cluster, and ways through its objects."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
PODS_OF = ("Deployment", "StatefulSet", "Job")
NAME = "app.kubernetes.io/name"

Object = dict[str, Any]


def prepared(directory: Path) -> Path:
    """Return a copy of the manifests, with the files of passwords that they need."""
    kept = shutil.ignore_patterns("*.env")  # the passwords of somebody who runs it from here
    shutil.copytree(DEPLOY, directory / "deploy", ignore=kept)
    manifests = directory / "deploy" / "kubernetes"
    subprocess.run(["sh", str(manifests / "secrets" / "make.sh")], check=True)
    for example in (manifests / "s3").glob("*.env.example"):
        shutil.copy(example, example.with_suffix(""))
    (manifests / "keda" / "keda.env").write_text("key=ptl_none\n")
    return manifests


def overlay(manifests: Path, name: str, written: str) -> Path:
    """Write a folder of the user's own beside the others, as the document shows."""
    folder = manifests / name
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(written)
    return folder


def rendered(folder: Path) -> list[Object]:
    """Return the objects that `kubectl apply --kustomize` would apply."""
    kubectl = Path(sys.executable).with_name("kubectl")
    told = subprocess.run(
        [str(kubectl), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    return list(yaml.safe_load_all(told.stdout))


def of_kind(objects: list[Object], *kinds: str) -> dict[str, Object]:
    """Return the objects of some kinds by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] in kinds}


def pods(objects: list[Object]) -> dict[str, Object]:
    """Return the specification of each pod, by the name of what makes it."""
    makers = of_kind(objects, *PODS_OF).items()
    return {name: each["spec"]["template"]["spec"] for name, each in makers}


def containers(objects: list[Object]) -> dict[str, Object]:
    """Return the container of each pod, of which there is one."""
    return {name: pod["containers"][0] for name, pod in pods(objects).items()}


def environment(objects: list[Object], name: str) -> dict[str, str]:
    """Return what a container's environment says in words; what is secret is left out."""
    container, found = containers(objects)[name], {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            found |= of_kind(objects, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    return found | {each["name"]: each["value"] for each in container["env"] if "value" in each}


def secret_keys(objects: list[Object], name: str) -> Iterator[tuple[str, str]]:
    """Yield the Secret and the key of each secret variable of a container."""
    container = containers(objects)[name]
    for each in container["env"]:
        if secret := each.get("valueFrom", {}).get("secretKeyRef"):
            yield secret["name"], secret["key"]
    for source in container.get("envFrom", []):
        if "secretRef" in source:
            secret = source["secretRef"]["name"]
            yield from ((secret, key) for key in of_kind(objects, "Secret")[secret]["data"])


def probes(container: Object) -> dict[str, Object]:
    """Return the probes of a container by their names."""
    return {name: probe for name, probe in container.items() if name.endswith("Probe")}


def chosen(objects: list[Object], selector: Object) -> set[str]:
    """Return the names of the pods that a selector chooses, and of those that it names in vain."""
    names = {n for each in selector.get("matchExpressions", []) for n in each["values"]}
    names |= {name for key, name in selector.get("matchLabels", {}).items() if key == NAME}
    return names or set(pods(objects))
