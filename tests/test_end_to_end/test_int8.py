"""Int8 that earns its place: from live pictures to production, without a failed request."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import requests

from chaos import pictures
from model_store import ModelStore
from petiole import quantize_watch
from tests import heavy_colours
from tests.conftest import ROOT
from tests.test_end_to_end.conftest import (
    HTTP_SECONDS,
    RunningService,
    colour_service,
    wait_until,
)

pytestmark = pytest.mark.end_to_end

CLIENTS = 2


class Traffic:
    """Clients that send one different picture after the other and count the answers."""

    def __init__(self, service: RunningService, model: str) -> None:
        """Send nothing yet."""
        self._service, self._model = service, model
        self._over = threading.Event()
        self.answers: Counter[tuple[str, int]] = Counter()

    @property
    def said(self) -> set[str]:
        """What was said so far, right or wrong."""
        return {said for said, _ in self.answers}

    @contextmanager
    def flowing(self) -> Iterator["Traffic"]:
        """Send until the block ends."""
        threads = [threading.Thread(target=self._send, args=(seed,)) for seed in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _send(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        while not self._over.is_set():
            picture = pictures.drawn(random)
            answer = requests.post(
                f"{self._service.api}/classify",
                params={"wait": 30, "model": self._model},
                files={"image": picture.upload},
                timeout=HTTP_SECONDS,
            ).json()
            best = answer.get("predictions", [{}])[0].get("label")
            state = "right" if best == picture.label else f"wrong: {answer}"
            self.answers[state, answer.get("model_version", 0)] += 1


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of `heavy` and `watched`, which int8 makes faster, and `wide`, which it spoils."""
    directory = tmp_path_factory.mktemp("heavy-models")
    heavy_colours.publish(directory)
    heavy_colours.publish(directory, name="wide", wide=True)
    heavy_colours.publish(directory, name="watched")
    return directory


@pytest.fixture(scope="module")
def service(
    models: Path,
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service over that store."""
    state = tmp_path_factory.mktemp("heavy-state")
    options = {"PETIOLE_MODELS_DEFAULT_MODEL": "heavy"}
    with colour_service(str(models), state, original_environment, **options) as running:
        yield running


def command(service: RunningService, *words: str) -> dict[str, Any]:
    """Return how `petiole models quantize --from-traffic 100` is run, without TensorFlow."""
    program = "import sys\nsys.modules['tensorflow'] = None\nfrom petiole.cli import main\nmain()\n"
    options = ("--from-traffic", "100", "--percent", "100", "--for", "60")
    return {
        "args": [sys.executable, "-c", program, "models", "quantize", *options, *words],
        "cwd": ROOT,
        "env": {
            **service.environment,
            "REDIS_URL": service.redis_url,
            "PETIOLE_TASKS_IMAGE_STORE_URL": str(service.state / "uploads"),
        },
        "text": True,
    }


def quantize(service: RunningService, model: str) -> subprocess.CompletedProcess[str]:
    """Run it beside the service until it ends."""
    return subprocess.run(**command(service, model, "--json"), capture_output=True, check=False)


def test_int8_is_made_tried_and_promoted_while_pictures_come(
    service: RunningService, models: Path
) -> None:
    """Every request is answered rightly, no pixels are left, and float32 guards its successor."""
    with Traffic(service, "heavy").flowing() as traffic:
        done = quantize(service, "heavy")
        left = [*(service.state / "uploads").rglob("collected/*")]
        wait_until(lambda: ("right", 2) in traffic.answers)
    store = ModelStore.open(str(models))
    variant = json.loads(done.stdout)["variant"]
    guard = wait_until(lambda: store.rollout("heavy"))

    assert (done.returncode, left) == (0, []), done.stderr
    assert (variant["judged_on"], variant["same_top1_interval"][1]) == (50, 1.0)
    assert traffic.said == {"right"}
    assert (guard.version, guard.guard.version) == (1, 2)


def test_int8_that_loses_what_matters_is_refused(service: RunningService, models: Path) -> None:
    """Nothing is published, nobody noticed, and why is told by the command and kept."""
    with Traffic(service, "wide").flowing() as traffic:
        wait_until(lambda: traffic.answers)
        done = quantize(service, "wide")
    store = ModelStore.open(str(models))

    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["version"] is None
    assert store.versions("wide") == (1,)
    assert traffic.said == {"right"}


def test_it_does_so_by_itself(service: RunningService, models: Path) -> None:
    """As long as it watches, and once only; a stop ends it at once."""
    store = ModelStore.open(str(models))
    watching = command(service, "watched", "--watch")
    with subprocess.Popen(**watching, stderr=subprocess.PIPE) as watcher:
        try:
            with Traffic(service, "watched").flowing() as traffic:
                wait_until(lambda: ("right", 2) in traffic.answers, seconds=180.0)
        finally:
            watcher.terminate()
        said = watcher.stderr.read()

    assert "int8 begun" in said
    assert traffic.said == {"right"}
    assert store.versions("watched") == (1, 2)
    assert not quantize_watch.is_due(store, "watched")


def test_a_stop_in_the_middle_leaves_no_pixels(service: RunningService) -> None:
    """SIGTERM, as from a supervisor, while pictures are collected."""
    uploads = service.state / "uploads"
    with Traffic(service, "wide").flowing(), redis.Redis.from_url(service.redis_url) as client:
        collecting = subprocess.Popen(
            **command(service, "wide", "--percent", "5"), stderr=subprocess.DEVNULL
        )
        wait_until(lambda: [*uploads.rglob("collected/*/*")])
        collecting.terminate()
        status = collecting.wait(30)
        wait_until(lambda: not [*uploads.rglob("collected/*/*")])

        assert status == 128 + signal.SIGTERM
        assert client.keys("petiole:collect*") == []
