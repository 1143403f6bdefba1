"""The specification is valid, complete, and what the API does."""

import base64
from io import BytesIO

import pytest
import schemathesis
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from tasks import once
from tests.conftest import picture

GREEN = picture("green")
TEXT = base64.b64encode(GREEN).decode()
BODIES = {
    "application/json": {"json": {"image": TEXT}},
    "multipart/form-data": {"data": {"image": (BytesIO(GREEN), "a.png")}},
    "application/x-www-form-urlencoded": {"data": {"image": TEXT}},
    "image/*": {"data": GREEN, "content_type": "image/png"},
}


def test_the_specification_is_valid(client: FlaskClient) -> None:
    """OpenAPI 3.1 by its own schema, each route with its answers."""
    specification = client.get("/openapi.json").json

    validate(specification)
    assert specification["webhooks"]["taskEnded"]["post"]["requestBody"]["content"]
    for path, operations in specification["paths"].items():
        for method, operation in operations.items():
            assert operation["responses"], f"{method} {path} describes no answer"


def test_the_limits_are_the_configured_ones(client: FlaskClient, monkeypatch) -> None:
    """Who may wait only 7 seconds is not told 30."""
    monkeypatch.setenv("PETIOLE_API_MAX_WAIT_SECONDS", "7")
    once.begin_anew()
    paths = client.get("/openapi.json").json["paths"]
    operations = (paths["/classify"]["post"], paths["/result/{task_id}"]["get"])
    said = [p["description"] for o in operations for p in o["parameters"] if p["name"] == "wait"]

    assert ["7" in text and "30" not in text for text in said] == [True, True]


def test_examples_work_as_they_stand(client: FlaskClient) -> None:
    """On a new service, with nothing filled in; the id of a task cannot be known before."""
    paths = client.get("/openapi.json").json["paths"]
    classify, model = paths["/classify"]["post"], paths["/models/{name}"]["get"]
    options = {p["name"]: p["example"] for p in classify["parameters"] if "example" in p}
    body = classify["requestBody"]["content"]["application/json"]["example"]
    answer = client.post("/classify", query_string=options, json=body)
    (name,) = (p["example"] for p in model["parameters"])

    assert (answer.status_code, len(answer.json["predictions"])) == (200, 3)
    assert client.get(f"/models/{name}").status_code == 200
    for path in ("/result/{task_id}", "/jobs/{task_id}"):
        (one,) = (p for p in paths[path]["delete"]["parameters"] if p["name"] == "task_id")
        assert "POST /classify" in one["description"]


def test_every_kind_of_body_that_is_described_is_taken(client: FlaskClient) -> None:
    """And those that are taken are described, the form without files among them."""
    post = client.get("/openapi.json").json["paths"]["/classify"]["post"]
    answers = {
        k: client.post("/classify?wait=5", **BODIES[k]) for k in post["requestBody"]["content"]
    }
    labels = {kind: answer.json["predictions"][0]["label"] for kind, answer in answers.items()}

    assert labels == dict.fromkeys(BODIES, "green")


def test_the_api_keeps_its_specification(client: FlaskClient) -> None:
    """Generated requests get documented statuses, types and schemas."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", client.application)
    failures = []
    for result in schema.get_all_operations():
        operation = result.ok()
        # Which kind of body is sent is drawn, so an operation that has several is tried more often.
        failures += _failures_of(operation, examples=8 * max(1, len(operation.body)))

    assert failures == []


def _failures_of(operation, *, examples: int) -> list[str]:
    """Return where answers differ from what is described."""
    from hypothesis import HealthCheck, Phase, given, settings

    found: list[str] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case) -> None:
        try:
            case.call_and_validate(
                checks=[
                    schemathesis.checks.status_code_conformance,
                    schemathesis.checks.content_type_conformance,
                    schemathesis.checks.response_schema_conformance,
                ]
            )
        except AssertionError as exc:
            found.append(f"{operation.label}: {exc}")

    check()
    return found


@pytest.mark.parametrize("heavy", ["tensorflow", "numpy", "openvino", "ai_edge_litert", "requests"])
def test_the_api_loads_nothing_heavy(heavy: str, original_environment: dict[str, str]) -> None:
    """A fresh interpreter that made the application has no numerics in it."""
    import subprocess
    import sys

    program = f"import api, sys; api.create_app(); sys.exit({heavy!r} in sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], env=original_environment, check=False
    )

    assert finished.returncode == 0
