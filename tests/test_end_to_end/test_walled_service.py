"""The whole service where everything leads to a canary: what clients name inside is not called."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import colour_model
from tests.conftest import ROOT
from tests.hosts import Host
from tests.internet.spellings import FORBIDDEN, literal
from tests.internet.world import World, internet
from tests.test_end_to_end.conftest import RunningService, environment_for, start, wait_until
from tests.test_tasks.test_webhooks import SECRETS

pytestmark = pytest.mark.end_to_end

PUBLIC, NAME = "93.184.216.34", "public.example"
ZONE = {
    NAME: [[f"A {PUBLIC}"]],
    "rebound.example": [[f"A {PUBLIC}"], ["A 127.0.0.1"]],
    "mixed.example": [[f"A {PUBLIC}", "A 10.0.0.1"]],
}
INSIDE = (
    *(f"http://{literal(each)}/a.jpg" for each in FORBIDDEN),
    *("http://0x7f.1/", "http://127。0。0。1/", "http://[::ffff:a9fe:a9fe]/", "http://localhost/"),
    *("http://mixed.example/", f"http://{NAME}:6379/", f"http://{NAME}/to/302?http://127.0.0.1/"),
    f"http://{NAME}/to/307?http://169.254.169.254/latest/meta-data/",
    "http://rebound.example/to/302?/a.jpg",
)

# Runs on the service's host: what it is asked, and what it says, is one JSON array.
CLIENT = """
import json, sys, requests
said = []
for method, url, body in json.load(sys.stdin):
    answer = requests.request(method, url, json=body, timeout=90)
    one = answer.headers["Content-Type"].endswith("json")
    lines = [answer.text] if one else filter(None, answer.text.splitlines())
    read = [json.loads(line) for line in lines]
    said.append([answer.status_code, read[0] if one else read])
print(json.dumps(said))
"""


@dataclass(frozen=True)
class Inside:
    """The running service, and where it runs."""

    world: World
    service: RunningService

    @property
    def host(self) -> Host:
        """The namespace."""
        return self.world.host

    def ask(self, method: str, asked: Mapping[str, Any]) -> list[Any]:
        """Return what the API says to requests, each a path and its body, in their order."""
        requests = [[method, self.service.api + path, body] for path, body in asked.items()]
        return self._said(requests)

    def send(self, bodies: Sequence[dict[str, str]]) -> list[str]:
        """Send pictures by their addresses; returns the ids of those that are taken."""
        said = self._said([["POST", f"{self.service.api}/classify", body] for body in bodies])
        return [body["task_id"] for status, body in said if status == 202]

    def results(self, task_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return what became of tasks, once all are over."""
        paths = {f"/result/{task_id}?wait=20": None for task_id in task_ids}
        return [body for _, body in self.ask("GET", paths)]

    def webhooks(self) -> dict[str, list[dict[str, Any]]]:
        """Return those that wait and those that were given up."""
        command = (sys.executable, "-m", "petiole", "webhooks", "list", "--json")
        environment = {**self.service.environment, "REDIS_URL": self.service.redis_url}
        options = {"cwd": ROOT, "env": environment}
        return dict(json.loads(subprocess.check_output(self.host.command(*command), **options)))

    def _said(self, requests: Sequence[Sequence[Any]]) -> list[Any]:
        command = self.host.command(sys.executable, "-c", CLIENT)
        return list(
            json.loads(subprocess.check_output(command, input=json.dumps(requests).encode()))
        )


@pytest.fixture(scope="module")
def inside(
    tmp_path_factory: pytest.TempPathFactory, original_environment: dict[str, str]
) -> Iterator[Inside]:
    """The service in a namespace where everything leads to the canary."""
    state = tmp_path_factory.mktemp("state")
    colour_model.publish(state / "models")
    environment = environment_for(state, original_environment) | {
        "PETIOLE_MODELS_STORE_URL": str(state / "models"),
        "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
        "PETIOLE_UP_CLASSIFY_CHILDREN": "1",
        "PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS": "",
        "PETIOLE_TASKS_DOWNLOAD_MAX_RETRIES": "0",
        "PETIOLE_TASKS_WEBHOOK_SECRET": SECRETS[0],
    }
    folder: Path = tmp_path_factory.mktemp("internet")
    with internet(folder, ZONE, certificate_of=NAME) as world:
        service = start(environment, state / "output", within=world.host.command())
        try:
            yield Inside(world, service)
        finally:
            assert service.stop() == 0


def test_no_address_of_a_client_leads_inside(inside: Inside) -> None:
    """Neither of a picture nor of who is told of it; what is public is fetched, and told."""
    inside.world.called()
    good = {"image_url": f"http://{NAME}/a.jpg", "webhook_url": f"http://{NAME}/told"}
    bad = [{"image_url": url, "webhook_url": url} for url in INSIDE]
    task_ids = inside.send([good, *bad])
    states = [result["state"] for result in inside.results(task_ids)]
    wait_until(lambda: not [w for w in inside.webhooks()["waiting"] if not w["attempts"]])
    called = inside.world.called()

    assert states == ["SUCCESS", *["FAILURE"] * (len(task_ids) - 1)]
    assert len(task_ids) > len(FORBIDDEN)
    assert {address for address, _ in called} == {PUBLIC}


def test_no_list_of_a_client_leads_inside(inside: Inside) -> None:
    """One of its pictures is public, and it alone is fetched."""
    inside.world.called()
    urls = [*INSIDE, f"http://{NAME}/a.jpg"]
    ((_, accepted),) = inside.ask("POST", {"/bulk": {"image_urls": urls}})
    ((_, lines),) = inside.ask("GET", {f"{accepted['bulk_url']}/results?wait=60": None})
    states = {line["number"]: line["state"] for line in lines}

    assert [states[number] for number in range(len(urls))] == ["FAILURE"] * len(INSIDE) + [
        "SUCCESS"
    ]
    assert {address for address, _ in inside.world.called()} == {PUBLIC}


def test_no_address_is_asked_while_a_client_waits(inside: Inside) -> None:
    """As `GET /classify?image_url=` does, which answers at once with the result."""
    inside.world.called()
    hosts = ("169.254.169.254", "127.1", "[::1]", "mixed.example")
    said = inside.ask("GET", {f"/classify?image_url=http://{host}/": None for host in hosts})

    assert [status >= 400 for status, _ in said] == [True] * len(hosts), said
    assert {address for address, _ in inside.world.called()} <= {PUBLIC}
