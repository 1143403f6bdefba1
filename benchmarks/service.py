"""`make bench`: the service beside the bare loop, interleaved in one run, as ratios.

Writes the table into `docs/performance.md`. Needs wrk.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psutil
import requests

from benchmarks import pictures, processes, report, wrk
from benchmarks.bare_loop import BareLoop
from benchmarks.measurements import LoadResult, Measurements
from chaos.layout import NO_CACHE
from petiole.probes import free_port

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "petiole" / "samples" / "coffee.jpg"
CONNECTIONS = (1, 16)
PORTS = ("PETIOLE_UP_REDIS_PORT", "PETIOLE_API_PORT", "FLOWER_PORT")
WAIT_SECONDS = 20


@dataclass(frozen=True)
class Started:
    """A running service: its process, its API and how long it took to be ready."""

    process: subprocess.Popen[bytes]
    api: str
    ready_seconds: float


@contextmanager
def started_service(
    state: Path, *, code: Path = ROOT, environment: Mapping[str, str] | None = None
) -> Iterator[Started]:
    """Run `petiole up` of the checkout `code` on free ports with its state in `state`.

    `environment` has further settings; no picture is answered by what is known, but where they
    say so.
    """
    ports = {name: str(free_port()) for name in PORTS}
    models = os.environ.get("PETIOLE_MODELS_STORE_URL") or str(ROOT / "var" / "models")
    variables = {
        **os.environ,
        **ports,
        **_without_cache(code),
        "PETIOLE_MODELS_STORE_URL": models,
        **(environment or {}),
        "PETIOLE_UP_STATE_DIRECTORY": str(state),
        "PYTHONPATH": str(code),
    }
    begun = monotonic()
    with (state / "output").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "petiole", "up"], cwd=code, env=variables, stdout=log
        )
    try:
        _wait_for(state / "output", "ready after", process)
        api = f"http://127.0.0.1:{ports['PETIOLE_API_PORT']}"
        yield Started(process, api, monotonic() - begun)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def _without_cache(code: Path) -> Mapping[str, str]:
    """Return what switches the cache off, where a checkout has one: it refuses unknown settings."""
    return NO_CACHE if (code / "tasks" / "answer_cache.py").is_file() else {}


def _wait_for(log: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    while text not in log.read_text(errors="replace"):
        if process.poll() is not None:
            sys.exit(f"the service ended:\n{log.read_text(errors='replace')[-3000:]}")
        sleep(0.05)


def load(api: str, images: Sequence[Path], *, connections: int, seconds: float) -> LoadResult:
    """Send pictures over `connections` and wait for each answer, for `seconds`."""
    url = f"{api}/classify?wait={WAIT_SECONDS}"
    return wrk.send(url, images, connections=connections, seconds=seconds)


def measure(images: Sequence[Path], *, rounds: int, seconds: float) -> Measurements:
    """Run the bare loop and the service in turn, `rounds` times."""
    loop = BareLoop(images)
    # Each measures for itself which variant is the fastest, and two close ones change places.
    same = {"PETIOLE_MODELS_RUNTIME": loop.variant}
    with tempfile.TemporaryDirectory() as first, started_service(Path(first), environment=same):
        pass  # The second start is the one that counts: files are in the page cache.
    with (
        tempfile.TemporaryDirectory() as state,
        started_service(Path(state), environment=same) as service,
    ):
        found = Measurements(loop.runtime, service.ready_seconds)
        load(service.api, images, connections=16, seconds=3)
        for _ in range(rounds):
            _round(found, loop, service, images, seconds)
        found.pss_mib = {
            n: (r.count, r.pss_mib) for n, r in processes.roles(service.process.pid).items()
        }
        found.recovery_seconds = [_recovery_seconds(service, images[0]) for _ in range(3)]
    loop.stop()
    return found


def _round(
    found: Measurements, loop: BareLoop, service: Started, images: Sequence[Path], seconds: float
) -> None:
    found.bare.append(loop.run(seconds))
    for connections in CONNECTIONS:
        result, cpu_ms = loaded(service, images, connections=connections, seconds=seconds)
        found.load.setdefault(connections, []).append(result)
        if connections == max(CONNECTIONS):
            for name, used_ms in cpu_ms.items():
                found.cpu_ms.setdefault(name, []).append(used_ms)
    print(f"round: bare {found.bare[-1].rate:.1f}/s", *_said(found), file=sys.stderr)  # noqa: T201


def loaded(
    service: Started, images: Sequence[Path], *, connections: int, seconds: float
) -> tuple[LoadResult, dict[str, float]]:
    """Return what wrk saw, and the CPU milliseconds a picture of each role meanwhile."""
    before = processes.roles(service.process.pid)
    result = load(service.api, images, connections=connections, seconds=seconds)
    after = processes.roles(service.process.pid)
    used = {name: after[name].cpu_seconds - before[name].cpu_seconds for name in before}
    return result, {name: 1000 * each / max(1, result.finished) for name, each in used.items()}


def _said(found: Measurements) -> list[str]:
    return [f"{c} connections {results[-1].rate:.1f}/s" for c, results in found.load.items()]


def _recovery_seconds(service: Started, image: Path) -> float:
    """Kill every classify child and return the time until a picture is answered again."""
    children = requests.get(f"{service.api}/readyz", timeout=10).json()["children"]
    for pid in (int(child["process"].rpartition(":")[2]) for child in children):
        # A child killed the last time is listed until its readiness key runs out.
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    begun = monotonic()
    url = f"{service.api}/classify?wait=30"
    headers = {"Content-Type": "image/jpeg"}
    response = requests.post(url, data=image.read_bytes(), headers=headers, timeout=60)
    elapsed = monotonic() - begun
    if response.status_code != requests.codes.ok:
        sys.exit(f"no answer after a child was killed: {response.status_code} {response.text}")
    sleep(5)
    return elapsed


def main() -> None:
    """Measure, print the tables, and write them into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "performance.md")
    arguments = parser.parse_args()
    wrk.demand()
    images = pictures.chosen(arguments.images)
    found = measure(images.files, rounds=arguments.rounds, seconds=arguments.seconds)
    text = report.markdown(found, images, seconds=arguments.seconds)
    print(text)  # noqa: T201 - the table is the output
    report.write(arguments.document, text, mark="measured")


if __name__ == "__main__":
    main()
