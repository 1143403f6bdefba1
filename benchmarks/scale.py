"""`python -m benchmarks.scale`: the rate by classify children, and by hosts that have one each.

Hosts are network namespaces of this machine, joined by a bridge: API and Redis on one, a worker
with one child on each further one, uploads and models on the disk that they share. They show what
the way over a network costs, not more cores. Every child predicts with one thread.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep

from benchmarks import pictures, report, wrk
from benchmarks.bare_loop import BareLoop
from benchmarks.measurements import LoadResult
from benchmarks.service import ROOT, WAIT_SECONDS, load, started_service
from chaos.layout import NO_CACHE, clean_environment
from model_store.settings import available_cores
from petiole import parts
from petiole.markdown import table
from tests.hosts import Host, hosts, why_there_are_none

CONNECTIONS = 16
REDIS_PORT, API_PORT = 6379, 8000
ONE_THREAD = {"PETIOLE_MODELS_INTRA_OP_THREADS": "1"}
READY_SECONDS = 90.0
MARK = "scale"
HEAD = ("", "pictures/s", "by one child", "by the bare loop", "p50 ms", "failed")
Load = Callable[..., LoadResult]

READY = """
import sys, requests
children = requests.get(sys.argv[1], timeout=5).json().get("children", [])
sys.exit(sum(child["state"] == "ready" for child in children) < int(sys.argv[2]))
"""


@contextmanager
def children(count: int) -> Iterator[Load]:
    """Run the service with so many classify children; gives what sends it pictures."""
    more = {**ONE_THREAD, "PETIOLE_UP_CLASSIFY_CHILDREN": str(count)}
    with (
        tempfile.TemporaryDirectory() as state,
        started_service(Path(state), environment=more) as service,
    ):
        yield partial(load, service.api)


@contextmanager
def worker_hosts(made: Sequence[Host], count: int) -> Iterator[Load]:
    """Run API and Redis on the first host and a worker on each of `count` others."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        home, workers = made[0], made[1 : count + 1]
        for host, command in _programs(home, workers, Path(directory)):
            stack.enter_context(_running(host, command, home, Path(directory)))
        api = f"http://{home.address}:{API_PORT}"
        _wait_until_ready(home, f"{api}/readyz", count)
        url, words = f"{api}/classify?wait={WAIT_SECONDS}", tuple(home.command())
        yield partial(wrk.send, url, before=words)


def _programs(
    home: Host, workers: Sequence[Host], directory: Path
) -> Iterator[tuple[Host, tuple[str, ...]]]:
    open_to_hosts = ("--bind", "0.0.0.0", "--protected-mode", "no")  # noqa: S104 - of this namespace
    yield home, (*parts.redis(REDIS_PORT, directory / "redis").command, *open_to_hosts)
    yield home, parts.http_api(directory / "metrics").command
    for number, host in enumerate(workers):
        command = parts.worker(children=1).command
        yield host, tuple(word.replace("classify@", f"classify{number}@") for word in command)


@contextmanager
def _running(host: Host, command: tuple[str, ...], home: Host, directory: Path) -> Iterator[None]:
    with (directory / f"{host.name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            host.command(*command),
            cwd=ROOT,
            env=_environment(home, directory),
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def _environment(home: Host, directory: Path) -> dict[str, str]:
    store = os.environ.get("PETIOLE_MODELS_STORE_URL") or str(ROOT / "var" / "models")
    return {
        **clean_environment(),
        **NO_CACHE,
        **parts.WORKER_ENVIRONMENT,
        **ONE_THREAD,
        "REDIS_URL": f"redis://{home.address}:{REDIS_PORT}/0",
        "PETIOLE_TASKS_IMAGE_STORE_URL": str(directory / "uploads"),
        "PETIOLE_MODELS_STORE_URL": store,
        "PETIOLE_MODELS_CACHE_DIRECTORY": str(directory / "cache"),
        "PETIOLE_API_HOST": "0.0.0.0",  # noqa: S104 - of this namespace
        "PETIOLE_API_INSECURE": "true",
        "PETIOLE_API_REQUESTS_PER_SECOND": "0",
        "PETIOLE_API_OPEN_JOBS": "0",
        "PETIOLE_API_BYTES_PER_DAY": "0",
        "PETIOLE_API_PORT": str(API_PORT),
        "PROMETHEUS_MULTIPROC_DIR": str(directory / "metrics"),
    }


def _wait_until_ready(home: Host, url: str, count: int) -> None:
    deadline = monotonic() + READY_SECONDS
    command = home.command(sys.executable, "-c", READY, url, str(count))
    while subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603
        if monotonic() > deadline:
            sys.exit(f"{count} workers on hosts are not ready after {READY_SECONDS:g} s")
        sleep(0.2)


def measure(
    images: Sequence[Path], reason: str, *, rounds: int, seconds: float
) -> tuple[list[float], dict[str, list[LoadResult]]]:
    """Return the bare loop's rates and what wrk saw of each arrangement, round for round."""
    counts = range(1, available_cores() + 1)
    found: dict[str, list[LoadResult]] = {}
    bare: list[float] = []
    with ExitStack() as stack:
        loop = BareLoop(images)
        stack.callback(loop.stop)
        sides = {f"children: {n}": stack.enter_context(children(n)) for n in counts}
        if not reason:
            sides |= _hosts(stack, counts)
        for number in range(rounds + 1):
            bare.append(loop.run(seconds).rate)
            for name, send in sides.items():
                result = send(images, connections=CONNECTIONS, seconds=seconds)
                found.setdefault(name, []).append(result)
            print(f"round {number}, of which 0 does not count", file=sys.stderr)  # noqa: T201
    return bare[1:], {name: results[1:] for name, results in found.items()}


def _hosts(stack: ExitStack, counts: Sequence[int]) -> dict[str, Load]:
    """Start the service on as many hosts with a worker as there are cores, and one more."""
    made = stack.enter_context(hosts(1 + max(counts)))
    name = f"hosts with a child each: {max(counts)}"
    return {name: stack.enter_context(worker_hosts(made, max(counts)))}


def markdown(
    bare: Sequence[float], found: dict[str, list[LoadResult]], *, what: str, reason: str
) -> str:
    """Return the table; says why there were no hosts where there were none."""
    first = next(iter(found.values()))
    rows = [_row(name, results, first, bare) for name, results in found.items()]
    missing = f"\n\nNo hosts: {reason}." if reason else ""
    return f"{report.heading(what)}\n\n{table(HEAD, rows)}{missing}"


def _row(
    name: str, results: Sequence[LoadResult], first: Sequence[LoadResult], bare: Sequence[float]
) -> tuple[str, ...]:
    more = statistics.median(r.rate / f.rate for r, f in zip(results, first, strict=True))
    ratio = statistics.median(r.rate / b for r, b in zip(results, bare, strict=True))
    return (
        name,
        f"{statistics.median(r.rate for r in results):.1f}",
        f"{more:.2f}",
        f"{ratio:.2f}",
        f"{statistics.median(r.p50_ms for r in results):.0f}",
        str(sum(r.failed for r in results)),
    )


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__)
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    wrk.demand()
    images, reason = pictures.chosen(arguments.images), why_there_are_none()
    rounds, seconds = arguments.rounds, arguments.seconds
    bare, found = measure(images.files, reason, rounds=rounds, seconds=seconds)
    span = f"{rounds} rounds of {seconds:g} s, interleaved, {CONNECTIONS} connections"
    what = f"{images.described}; {span}; medians."
    text = markdown(bare, found, what=what, reason=reason)
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
