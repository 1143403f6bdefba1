"""Promotions under load: real processes, a closed loop of clients, no failed request."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from model_store import ModelStore
from tests.conftest import ROOT
from tests.test_end_to_end.conftest import (
    HTTP_SECONDS,
    SAMPLE,
    RunningService,
    environment_for,
    start,
    wait_until,
)

pytestmark = pytest.mark.end_to_end

CLIENTS = 4
GOOD, OTHER, BROKEN = 1, 2, 3


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three versions of the real model; the third one's artifacts are damaged."""
    directory = tmp_path_factory.mktemp("swap-models")
    installed = ModelStore.open(str(ROOT / "var" / "models"))
    name, version = installed.resolve("imagenet")
    card, files = installed.card(name, version), installed.fetch(name, version)
    ours = ModelStore.open(str(directory))
    for _ in (GOOD, OTHER, BROKEN):
        ours.publish(
            _without_card(files, tmp_path_factory.mktemp("files")), replace(card, files={})
        )
    for artifact in (directory / name / str(BROKEN)).rglob("model.*"):
        artifact.write_bytes(artifact.read_bytes()[:-1] + b"\x00")
    return directory


@pytest.fixture(scope="module")
def store(directory: Path) -> ModelStore:
    """The same, opened."""
    return ModelStore.open(str(directory))


def _without_card(files: Path, copy: Path) -> Path:
    for path in files.rglob("*"):
        if path.is_file() and path.name not in {"card.json", "card.json.sha256", "claim"}:
            target = copy / path.relative_to(files)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return copy


@pytest.fixture(scope="module")
def swapping(
    directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service over that store."""
    state = tmp_path_factory.mktemp("swap-state")
    environment = environment_for(state, original_environment)
    environment["PETIOLE_MODELS_STORE_URL"] = str(directory)
    running = start(environment, state / "output")
    yield running
    assert running.stop() == 0


class ClosedLoop:
    """Clients that send one picture after the other and remember every answer."""

    def __init__(self, service: RunningService) -> None:
        """Send nothing yet."""
        self._service = service
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        self.answers: list[tuple[int, dict[str, Any]]] = []

    def __enter__(self) -> "ClosedLoop":
        """Start all clients."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them, each after its last answer."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        upload = SAMPLE.read_bytes()
        url = f"{self._service.api}/classify?wait=30&top_k=1"
        headers = {"Content-Type": "image/jpeg"}
        with requests.Session() as session:
            while not self._done.is_set():
                response = session.post(url, data=upload, headers=headers, timeout=HTTP_SECONDS)
                self.answers.append((response.status_code, response.json()))


def children(service: RunningService) -> list[dict[str, Any]]:
    """Return what each classify child says of its models."""
    return service.get("/readyz").json()["children"]


def all_answer_with(service: RunningService, version: int) -> bool:
    """Tell whether a sample of answers comes from one version only."""
    answers = [service.classify(wait=30, top_k=1).json()["model_version"] for _ in range(6)]
    return set(answers) == {version}


def test_ten_promotions_under_load_lose_nothing(
    swapping: RunningService, store: ModelStore
) -> None:
    """Back and forth, one of them to a broken version: every answer is a success."""
    plan = [OTHER, GOOD, OTHER, GOOD, OTHER, BROKEN, GOOD, OTHER, GOOD, OTHER]
    with ClosedLoop(swapping) as load:
        for version in plan:
            store.set_alias("imagenet", "production", version)
            if version == BROKEN:
                wait_until(lambda: all("imagenet@3" in c["refused"] for c in children(swapping)))
            else:
                wait_until(lambda v=version: all_answer_with(swapping, v))
    states = Counter((status, answer.get("state")) for status, answer in load.answers)
    versions = {answer["model_version"] for _, answer in load.answers}

    assert states == {(200, "SUCCESS"): len(load.answers)}
    assert len(load.answers) > 50
    assert versions == {GOOD, OTHER}
    assert {answer["predictions"][0]["label"] for _, answer in load.answers} == {"espresso"}


def test_a_refused_version_says_why(swapping: RunningService, store: ModelStore) -> None:
    """`/readyz` names the file, and the service stays ready on the old version."""
    store.set_alias("imagenet", "production", BROKEN)
    reasons = wait_until(
        lambda: [c["refused"]["imagenet@3"] for c in children(swapping) if c["refused"]]
    )
    store.set_alias("imagenet", "production", GOOD)

    assert "CorruptVersionError" in reasons[0]
    assert swapping.get("/readyz").status_code == 200
    assert swapping.classify(wait=30).json()["model_version"] in {GOOD, OTHER}


def test_several_models_are_served_at_once(swapping: RunningService) -> None:
    """Each request has the version it asked for, whatever is in production."""
    asked = [GOOD, OTHER] * 3
    answers = [swapping.classify(model=f"imagenet@{v}", wait=30).json() for v in asked]

    assert [answer["model_version"] for answer in answers] == asked
