"""Servers that run: ours and the peers', started alike, asked alike, with all their processes."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import requests

from benchmarks import processes, wrk
from benchmarks.measurements import LoadResult
from benchmarks.peers.catalog import ENVIRONMENTS, Command, Peer, Site
from benchmarks.processes import Role
from benchmarks.service import WAIT_SECONDS, started_service
from chaos.layout import NO_CACHE, clean_environment
from model_store.settings import available_cores
from petiole.parts import ROOT
from petiole.probes import free_port

START_SECONDS = 60.0
STOP_SECONDS = 20.0
ANSWER_SECONDS = 60.0
TAIL = 1500


class ServerError(Exception):
    """A server did not start, or answered wrong; it is not measured."""


@dataclass(frozen=True)
class Running:
    """A server that answers: where it takes pictures, how, and which processes are its roots."""

    url: str
    field: str
    roots: tuple[int, ...]
    start_seconds: float

    def load(self, images: Sequence[Path], *, connections: int, seconds: float) -> LoadResult:
        """Send pictures and wait for each answer, for `seconds`."""
        return wrk.send(
            self.url, images, connections=connections, seconds=seconds, field=self.field
        )

    def tree(self) -> Role:
        """Return all its processes together."""
        return processes.tree(*self.roots)

    def best_label(self, image: Path) -> str:
        """Return the best label that it answers for a picture.

        Raises:
            ServerError: it does not answer 200.
        """
        return best_label(self.url, self.field, image)


def best_label(url: str, field: str, image: Path) -> str:
    """Return the best label that the server at `url` answers for a picture.

    Raises:
        ServerError: it does not answer 200.
    """
    response = requests.post(url, timeout=ANSWER_SECONDS, **question(field, image.read_bytes()))
    if response.status_code != requests.codes.ok:
        raise ServerError(f"answered {response.status_code}: {response.text[:200]}")
    label: str = response.json()["predictions"][0]["label"]
    return label


def question(field: str, upload: bytes) -> dict[str, Any]:
    """Return a picture as the words of `requests.post`: as the body, or in a form."""
    if field == wrk.BODY:
        return {"data": upload, "headers": {"Content-Type": "image/jpeg"}}
    return {"files": {field: ("picture.jpg", upload, "image/jpeg")}}


@contextmanager
def petiole(
    image: Path, label: str, *, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run the service of this project until the block ends.

    With further settings its first answer need not be `label`: it may have another network.
    """
    begun = monotonic()
    with _state() as state, started_service(state, environment=environment) as service:
        url = f"{service.api}/classify?wait={WAIT_SECONDS}"
        _await_answer(url, wrk.BODY, image, "" if environment else label)
        yield Running(url, wrk.BODY, (service.process.pid,), monotonic() - begun)


@contextmanager
def peer(which: Peer, image: Path, label: str) -> Iterator[Running]:
    """Run a peer until the block ends.

    Raises:
        ServerError: it ended, or gave no right answer in time; with the end of what it said.
    """
    with ExitStack() as stack:
        state = stack.enter_context(_state())
        python = str(ENVIRONMENTS / which.folder / "bin" / "python")
        site = Site(python, free_port(), free_port(), state, available_cores())
        begun = monotonic()
        started = [
            stack.enter_context(_process(command, _environment(which, site), state / f"log{n}"))
            for n, command in enumerate(which.commands(site))
        ]
        url = f"http://127.0.0.1:{site.port}{which.path}"
        try:
            _await_answer(url, which.field, image, label, started=started)
        except ServerError as exc:
            logs = "".join(f.read_text(errors="replace")[-TAIL:] for f in state.glob("log*"))
            raise ServerError(f"{exc}\n{logs}") from exc
        roots = tuple(process.pid for process in started)
        yield Running(url, which.field, roots, monotonic() - begun)


def _environment(which: Peer, site: Site) -> dict[str, str]:
    return {
        **clean_environment(),
        **NO_CACHE,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PEER_WORKERS": str(site.workers),
        "PEER_THREADS": str(which.threads or site.workers),
        "REDIS_URL": f"redis://127.0.0.1:{site.redis_port}/0",
        "BENTOML_HOME": str(site.state / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "PETIOLE_MODELS_STORE_URL": os.environ["PETIOLE_MODELS_STORE_URL"],
        "PETIOLE_MODELS_RUNTIME": os.environ["PETIOLE_MODELS_RUNTIME"],
        "PETIOLE_MODELS_CACHE_DIRECTORY": str(site.state / "model-cache"),
    }


@contextmanager
def _state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="petiole-peer-") as directory:
        yield Path(directory)


@contextmanager
def _process(command: Command, environment: dict[str, str], log: Path) -> Iterator[psutil.Popen]:
    with log.open("wb") as output:
        process = psutil.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        _end(process)


def _end(root: psutil.Popen) -> None:
    """Ask a process and then all that it started to end, and kill what does not."""
    family = [root, *root.children(recursive=True)] if root.is_running() else []
    if family:
        root.terminate()
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)


def _await_answer(
    url: str, field: str, image: Path, label: str, *, started: Sequence[psutil.Popen] = ()
) -> None:
    """Wait until a server answers `label`, or any label where that is empty."""
    deadline, said = monotonic() + START_SECONDS, ""
    while monotonic() < deadline:
        if any(process.poll() is not None for process in started):
            raise ServerError("ended before it answered")
        try:
            said = best_label(url, field, image)
        except (requests.RequestException, ServerError) as exc:
            said = str(exc)
        else:
            if said == label or not label:
                return
        sleep(0.1)
    raise ServerError(f"no right answer in {START_SECONDS:g} s: {said!r} instead of {label!r}")
