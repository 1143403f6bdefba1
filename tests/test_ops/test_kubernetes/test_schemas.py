"""Every manifest against the schemas of Kubernetes and KEDA, strictly and without a network."""

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests import manifests
from tests.manifests import DEPLOY, Object
from tests.test_ops.test_kubernetes.conftest import PAGE

VERSIONS = ("1.30", kubernetes_validate.latest_version())
SCHEMAS = Path(__file__).parent / "schemas"
SCHEMA_OF_KIND = {
    "ScaledObject": "keda_scaledobjects.json",
    "TriggerAuthentication": "keda_triggerauthentications.json",
}
OF_METRICS_API = {"authMode"}
"""Read by the scaler's part that all of KEDA's share, so not in its own list."""


def closed(schema: Any) -> Any:
    """Return a schema that refuses what it does not name, as `kubectl apply` does."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(each) for name, each in schema.items()}
    if isinstance(made.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", not made["properties"])
    return made


def of_keda(objects: list[Object]) -> list[Object]:
    """Return the objects that KEDA reads."""
    return [each for each in objects if each["apiVersion"].startswith("keda.sh/")]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(objects: list[Object], version: str) -> None:
    """In the oldest version that the document names and in the newest that is known here."""
    for each in objects:
        if each not in of_keda(objects):
            kubernetes_validate.validate(each, version, strict=True)


def test_the_document_names_the_oldest_version() -> None:
    """What was tried is what is promised."""
    assert f"Kubernetes {VERSIONS[0]} or later" in PAGE.read_text()


def test_keda_takes_its_objects(all_objects: dict[str, list[Object]]) -> None:
    """By KEDA's own schemas, in which an unknown field is an error."""
    found = of_keda(all_objects["mine"])

    assert {each["kind"] for each in found} == set(SCHEMA_OF_KIND)
    for each in found:
        schema = json.loads((SCHEMAS / SCHEMA_OF_KIND[each["kind"]]).read_text())
        # What every object has is described elsewhere.
        schema["properties"]["metadata"] = {"required": ["name"]}
        Draft202012Validator(
            closed(schema) | {"properties": closed(schema["properties"])}
        ).validate(each)


def test_keda_knows_every_word_of_a_trigger(all_objects: dict[str, list[Object]]) -> None:
    """A CustomResourceDefinition takes any: the scaler has a list of its own."""
    said = json.loads((SCHEMAS / "keda_metrics_api.json").read_text())["parameters"]
    known = {each["name"] for each in said} | OF_METRICS_API
    needed = {each["name"] for each in said if not each.keys() & {"optional", "default"}}
    scaled = manifests.of_kind(all_objects["mine"], "ScaledObject").values()
    for trigger in (trigger for each in scaled for trigger in each["spec"]["triggers"]):
        assert trigger["type"] == "metrics-api"
        assert needed <= trigger["metadata"].keys() <= known


def test_every_file_is_part_of_what_is_rendered() -> None:
    """Nothing lies under `deploy/kubernetes` that no kustomization names, and so nothing checks."""
    files = {each.resolve() for each in (DEPLOY / "kubernetes").rglob("*") if each.is_file()}
    named: set[Path] = set()
    for file in (*files, DEPLOY / "redis" / "kustomization.yaml"):
        if file.name == "kustomization.yaml":
            named |= {file} | {(file.parent / name).resolve() for name in _names_in(file)}
    others = {each for each in files - named if each.suffix != ".env"}

    assert {each.name for each in others} == {
        *("make.sh", ".gitignore", "reader.env.example", "writer.env.example")
    }


def _names_in(file: Path) -> list[str]:
    said = yaml.safe_load(file.read_text())
    patches = [each["path"] for each in said.get("patches", []) if "path" in each]
    return [*said.get("resources", []), *patches]
