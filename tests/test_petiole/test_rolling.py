"""`petiole roll`: new processes under load, and none who is not answered."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import requests

from tests.conftest import picture
from tests.test_end_to_end.conftest import RunningService, wait_until
from tests.test_petiole.test_up import launch

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def service(
    environment: dict[str, str], colour_store: str, tmp_path: Path
) -> Iterator[RunningService]:
    """A started service of its own, with models of its own."""
    models = shutil.copytree(colour_store, tmp_path / "models")
    settings = {
        "PETIOLE_MODELS_STORE_URL": str(models),
        "PETIOLE_UP_START_TIMEOUT_SECONDS": "25",
    }
    started = launch(environment | settings, tmp_path / "run")
    wait_until(lambda: "ready after" in started.log.read_text() or started.process.poll())
    yield started
    assert started.stop() == 0, started.log.read_text()[-3000:]


def roll(service: RunningService) -> subprocess.CompletedProcess[str]:
    """Run `petiole roll` until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "petiole", "roll"],
        env=service.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Load:
    """Clients that send a picture, wait for its answer, and ask for readiness, in turn."""

    def __init__(self, service: RunningService, clients: int) -> None:
        """Begin to send."""
        self._service = service
        self._done = Event()
        self._pool = ThreadPoolExecutor(clients)
        self._sending = [self._pool.submit(self._send) for _ in range(clients)]

    def _send(self) -> list[str]:
        answers = []
        with requests.Session() as session:
            while not self._done.is_set():
                answers.append(self._said(self._answered(session)))
                answers.append(self._said(session.get(f"{self._service.api}/readyz", timeout=60)))
        return answers

    def _said(self, response: requests.Response) -> str:
        return "ok" if response.status_code == 200 else f"{response.request.url}: {response.text}"

    def _answered(self, session: requests.Session) -> requests.Response:
        url = f"{self._service.api}/classify?wait=20"
        headers = {"Content-Type": "image/jpeg"}
        response = session.post(url, data=picture(), headers=headers, timeout=60)
        while response.status_code == 202:
            url = f"{self._service.api}{response.headers['Location']}?wait=20"
            response = session.get(url, timeout=60)
        return response

    def answers(self) -> set[str]:
        """Stop sending, and return what was answered: ok, or what else."""
        self._done.set()
        answers = {answer for each in self._sending for answer in each.result()}
        self._pool.shutdown()
        return answers


def test_a_roll_under_load_fails_nobody(service: RunningService) -> None:
    """Every picture is answered, by old or by new processes, and at no moment is none warm."""
    names = ["worker", "downloader", "bulk", "api", "redis", "flower"]
    before = {name: service.part(name).pid for name in names}
    load = Load(service, clients=4)
    ended = roll(service)
    answers = load.answers()
    after = {name: service.part(name).pid for name in names}

    assert (ended.returncode, ended.stdout) == (0, "rolled: workers and API are new processes\n")
    assert answers == {"ok"}, service.log.read_text()[-3000:]
    assert [n for n in names if before[n] != after[n]] == ["worker", "downloader", "bulk", "api"]


def test_what_was_accepted_outlasts_a_restart_of_everything(
    service: RunningService, tmp_path: Path
) -> None:
    """SIGTERM finishes pictures or puts them back, and the next start answers the rest."""
    accepted = [service.classify().json()["task_id"] for _ in range(60)]
    status = service.stop(signal.SIGTERM)
    again = launch(service.environment, tmp_path / "again")
    wait_until(lambda: "ready after" in again.log.read_text() or again.process.poll())
    answers = [again.get(f"/result/{task_id}?wait=20").json()["state"] for task_id in accepted]
    service.process = again.process

    assert status == 0
    assert "did not stop; killing it" not in service.log.read_text()
    assert {"SUCCESS"} == set(answers)


def test_a_worker_that_cannot_start_leaves_the_old_one(service: RunningService) -> None:
    """The command says why, and the service goes on as it was."""
    worker = service.part("worker").pid
    models = Path(service.environment["PETIOLE_MODELS_STORE_URL"])
    hidden = models.rename(models.with_name("hidden"))
    ended = roll(service)
    hidden.rename(models)

    assert ended.returncode == 1
    assert ended.stderr.startswith("petiole: not rolled: worker (new) is not ready after ")
    assert service.part("worker").pid == worker
    assert service.classify(wait=20).status_code == 200
