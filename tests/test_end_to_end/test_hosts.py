"""Several hosts: API and Redis on one, a worker on each of two others, uploads in a bucket."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from petiole import parts
from tests import colour_model
from tests.conftest import ROOT, picture
from tests.hosts import Host, hosts, why_there_are_none
from tests.test_end_to_end.conftest import wait_until

pytestmark = pytest.mark.end_to_end

REDIS_PORT, API_PORT, S3_PORT = 6379, 8000, 5000
CUT_SECONDS = 60.0

# Runs on the API's host: what it says is one JSON object, the answer of the API.
CLIENT = """
import json, sys, requests
method, url, file = sys.argv[1:4]
files = {"image": open(file, "rb")} if file else None
answer = requests.request(method, url, files=files, timeout=20)
print(json.dumps({"status": answer.status_code, "body": answer.json()}))
"""


@dataclass(frozen=True)
class Cluster:
    """The running service, host by host, and a green picture."""

    api: Host
    workers: list[Host]
    picture: Path

    def ask(self, method: str, path: str, file: str = "") -> dict:
        """Ask the API, from its own host."""
        url = f"http://{self.api.address}:{API_PORT}{path}"
        command = self.api.command(sys.executable, "-c", CLIENT, method, url, file)
        return json.loads(subprocess.check_output(command, cwd=ROOT))

    def children(self) -> int:
        """Return how many children are ready."""
        answer = self.ask("GET", "/readyz")
        return len(answer["body"].get("children", [])) if answer["status"] == 200 else 0

    def send(self, count: int) -> list[str]:
        """Send pictures and return their task ids."""
        answers = (self.ask("POST", "/classify", str(self.picture)) for _ in range(count))
        return [answer["body"]["task_id"] for answer in answers]

    def labels(self, task_ids: list[str]) -> list[str]:
        """Return the best labels once all are over."""
        return [wait_until(lambda t=t: self._label(t), seconds=CUT_SECONDS) for t in task_ids]

    def _label(self, task_id: str) -> str:
        answer = self.ask("GET", f"/result/{task_id}")
        over = answer["status"] == 200
        return (answer["body"].get("predictions") or [answer["body"]])[0]["label"] if over else ""


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, original_environment: dict[str, str]
) -> Iterator[Cluster]:
    """Five processes on three hosts, ended with the tests."""
    if reason := why_there_are_none():
        is_installable = "missing" in reason
        pytest.fail(reason) if is_installable and os.environ.get("CI") else pytest.skip(reason)
    directory = tmp_path_factory.mktemp("hosts")
    colour_model.publish(directory / "models")
    (directory / "green.jpg").write_bytes(picture("green"))
    with hosts(3) as (api, *workers):
        running: list[subprocess.Popen[bytes]] = []
        try:
            for host, name, command in programs(api, workers, directory):
                environment = environment_of(api, directory, original_environment)
                with (directory / f"{name}.log").open("wb") as log:
                    options = {"cwd": ROOT, "env": environment, "stdout": log, "stderr": log}
                    running.append(subprocess.Popen(host.command(*command), **options))
                if name == "s3":
                    wait_until(lambda: make_bucket(api))
            made = Cluster(api, workers, directory / "green.jpg")
            wait_until(lambda: answers(made) and made.children() == 2, seconds=90)
            yield made
        finally:
            for process in reversed(running):  # workers first: they hand back what they hold
                process.terminate()
                process.wait(timeout=60)


def programs(
    api: Host, workers: list[Host], directory: Path
) -> Iterator[tuple[Host, str, tuple[str, ...]]]:
    """Yield where each program runs, its name and its command."""
    bucket = (sys.executable, "-m", "moto.server", "-H", "0.0.0.0", "-p", str(S3_PORT))  # noqa: S104
    yield api, "s3", bucket
    open_to_hosts = ("--bind", "0.0.0.0", "--protected-mode", "no")  # noqa: S104 - of this namespace
    yield api, "redis", (*parts.redis(REDIS_PORT, directory / "redis").command, *open_to_hosts)
    yield api, "api", parts.http_api(directory / "metrics").command
    for number, host in enumerate(workers):
        command = parts.worker(children=1).command
        named = tuple(f"classify{number}@%h" if word == "classify@%h" else word for word in command)
        yield host, f"worker{number}", named


def environment_of(api: Host, directory: Path, original: dict[str, str]) -> dict[str, str]:
    """Return what every program is told: where Redis, the bucket and the models are."""
    named = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_URL")
    kept = {name: value for name, value in original.items() if name not in named}
    return (
        kept
        | parts.WORKER_ENVIRONMENT
        | {
            "REDIS_URL": f"redis://{api.address}:{REDIS_PORT}/0",
            "PETIOLE_TASKS_IMAGE_STORE_URL": "s3://uploads",
            "PETIOLE_MODELS_STORE_URL": str(directory / "models"),
            "PETIOLE_MODELS_CACHE_DIRECTORY": str(directory / "cache"),
            "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
            "PETIOLE_API_HOST": "0.0.0.0",  # noqa: S104 - of this namespace
            "PETIOLE_API_INSECURE": "true",
            "PETIOLE_API_PORT": str(API_PORT),
            "AWS_ENDPOINT_URL": f"http://{api.address}:{S3_PORT}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
    )


def make_bucket(api: Host) -> bool:
    """Make the bucket for uploads; tells whether its server was there to do so."""
    put = f"import requests; requests.put('http://{api.address}:{S3_PORT}/uploads', timeout=5)"
    made = subprocess.run(api.command(sys.executable, "-c", put), check=False, capture_output=True)
    return made.returncode == 0


def answers(cluster: Cluster) -> bool:
    """Tell whether the API is there."""
    try:
        return cluster.ask("GET", "/livez")["status"] == 200
    except subprocess.CalledProcessError:
        return False


def test_both_hosts_answer(cluster: Cluster) -> None:
    """More hosts give more workers, with no change but where things are."""
    task_ids = cluster.send(10)

    assert cluster.labels(task_ids) == ["green"] * 10


def test_a_host_that_is_cut_off_loses_nothing(cluster: Cluster) -> None:
    """The other one answers all; the cut one takes work again when its cable is back."""
    cut, other = cluster.workers
    before = cluster.send(4)
    cut.cut_off()
    during = cluster.send(8)
    labels = cluster.labels([*before, *during])
    cut.reconnect()
    wait_until(lambda: cluster.children() == 2, seconds=CUT_SECONDS)
    other.cut_off()
    after = cluster.labels(cluster.send(4))
    other.reconnect()

    assert labels == ["green"] * 12
    assert after == ["green"] * 4


def test_nothing_is_left_in_the_bucket(cluster: Cluster) -> None:
    """Uploads are deleted from wherever they lie once their jobs are over."""
    cluster.labels(cluster.send(2))
    url = f"http://{cluster.api.address}:{S3_PORT}/uploads"
    look = f"import requests; print('<Key>' in requests.get('{url}', timeout=5).text)"
    listed = subprocess.check_output(cluster.api.command(sys.executable, "-c", look), text=True)

    assert listed.strip() == "False"
