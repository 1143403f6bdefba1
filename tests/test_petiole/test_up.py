"""`petiole up` as a process: from another directory, with a user's settings, without a model."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
import requests

from tests.test_end_to_end.conftest import RunningService, alive, wait_until

pytestmark = pytest.mark.end_to_end

STOP_SECONDS = 8.0
DEAD = 2**22 + 1
"""No process has this id: it is above the largest one that Linux gives."""


def launch(environment: dict[str, str], directory: Path) -> RunningService:
    """Begin `petiole up` in a directory; its log is there too."""
    directory.mkdir()
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "petiole", "up"],
            cwd=directory,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return RunningService(process, environment, log)


@pytest.fixture
def elsewhere(environment: dict[str, str], tmp_path: Path) -> Iterator[RunningService]:
    """The service, started in another directory with relative paths and the user's own values."""
    directory = tmp_path / "elsewhere"
    own = {
        "PETIOLE_UP_STATE_DIRECTORY": "state",
        "PROMETHEUS_MULTIPROC_DIR": "../metrics",
        "OMP_NUM_THREADS": "2",
        "FLOWER_ADDRESS": "127.0.0.2",
        "FLOWER_URL_PREFIX": "flower",
    }
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "notes.txt").write_text("the user's")
    (tmp_path / "metrics" / f"counter_{DEAD}.db").write_text("of a dead process")
    service = launch(environment | own, directory)
    wait_until(lambda: "ready after" in service.log.read_text() or service.process.poll())
    yield service
    assert service.stop() == 0, service.log.read_text()[-3000:]


def test_the_service_runs_from_anywhere_as_its_user_wishes(
    elsewhere: RunningService, tmp_path: Path
) -> None:
    """State lies where the user said, and the user's values win over a part's own."""
    directory = elsewhere.log.parent
    flower = f"http://127.0.0.2:{elsewhere.environment['FLOWER_PORT']}/flower/healthcheck"

    assert elsewhere.classify(wait=10).status_code == 200
    assert requests.get(flower, timeout=5).ok
    assert {"log", "state"} == {path.name for path in directory.iterdir()}
    written = {"format", "redis", "uploads", "model-cache", "log", "service.json", "service.lock"}
    written |= {"redis-passwords", "redis-url"}
    assert written == {path.name for path in (directory / "state").iterdir()}
    assert elsewhere.part("worker").environ()["OMP_NUM_THREADS"] == "2"
    assert elsewhere.part("worker").environ()["REMAP_SIGTERM"] == "SIGQUIT"
    assert _see_metrics_directory(elsewhere) == {"api": str(directory / "../metrics")}
    assert (tmp_path / "metrics" / "notes.txt").exists()
    assert not (tmp_path / "metrics" / f"counter_{DEAD}.db").exists()


def _see_metrics_directory(service: RunningService) -> dict[str, str]:
    names = ["redis", "worker", "downloader", "bulk", "api", "flower"]
    found = {name: service.part(name).environ().get("PROMETHEUS_MULTIPROC_DIR") for name in names}
    return {name: directory for name, directory in found.items() if directory is not None}


@pytest.fixture
def damaged_store(colour_store: str, tmp_path: Path) -> Path:
    """A store whose only model has other bytes than were published."""
    copy = Path(shutil.copytree(colour_store, tmp_path / "damaged"))
    for artifact in copy.rglob("model.bin"):
        artifact.write_bytes(artifact.read_bytes() + b"\x00")
    return copy


def test_a_model_that_cannot_be_loaded_is_said_and_does_not_hold_up_the_end(
    environment: dict[str, str], damaged_store: Path, tmp_path: Path
) -> None:
    """The last line has the reason, the log has it once, and every process ends soon."""
    settings = {
        "PETIOLE_MODELS_STORE_URL": str(damaged_store),
        "PETIOLE_UP_START_TIMEOUT_SECONDS": "15",
    }
    service = launch(environment | settings, tmp_path / "run")
    wait_until(lambda: "model not loaded" in service.log.read_text())
    processes = service.processes()
    wait_until(lambda: "| stopping" in service.log.read_text())
    begun = monotonic()

    assert service.process.wait(timeout=60) == 1
    assert monotonic() - begun < STOP_SECONDS
    assert alive(processes) == []
    lines = service.log.read_text().splitlines()
    assert lines[-1].startswith("petiole: the service is not ready after 15 s: missing: worker (")
    assert "CorruptVersionError: colours@1" in lines[-1]
    assert sum("model not loaded" in line for line in lines) == 1
    assert not any("Traceback" in line or "killing" in line for line in lines)
