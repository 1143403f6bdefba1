"""`python -m benchmarks.slow_clients`: the API beside slow and waiting clients, and its CPU.

Starts only Redis and the API, under each worker class, and prints a table of p95 in ms. The
jobs stay unfinished, so that those who wait for them wait.
"""

import argparse
import os
import resource
import selectors
import socket
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import psutil
import requests

from benchmarks import report
from chaos.layout import NO_CACHE
from petiole import parts, probes
from petiole.markdown import table

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "petiole" / "samples" / "coffee.jpg"
KINDS = {
    "event loop and threads": {},
    "gunicorn gthread": {
        "GUNICORN_CMD_ARGS": "--worker-class gthread --threads 40",
        "PETIOLE_API_MAX_WAITERS": "32",
    },
}
MARK = "slow-clients"
COLUMNS = (
    *("server", "CPU ms a POST", "calm: GET", "POST", "500 waiting: GET", "POST", "RSS MiB"),
    *("200 slow: GET", "POST", "both: GET", "POST"),
)
CPU_ROUNDS = 12
SLOW_SOCKETS, WAITING_CLIENTS = 200, 500
PROBES, POSTS, CONNECTIONS = 300, 160, 16
PATIENCE_SECONDS = 5.0
HEAD = b"POST /classify HTTP/1.1\r\nHost: petiole\r\nContent-Type: image/jpeg\r\n"
BODY = b"Content-Length: 1000000\r\n\r\n"


@dataclass(frozen=True)
class Api:
    """A started API: its address and the process that gunicorn's worker is."""

    url: str
    port: int
    worker: psutil.Process

    def cpu_seconds(self) -> float:
        """Return the CPU time of the worker so far."""
        times = self.worker.cpu_times()
        return float(times.user + times.system)


@contextmanager
def started_api(settings: dict[str, str], state: Path) -> Iterator[Api]:
    """Run Redis and the API with further settings."""
    redis_port, port = probes.free_port(), probes.free_port()
    environment = (
        os.environ
        | NO_CACHE
        | {
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "PETIOLE_API_PORT": str(port),
            "PETIOLE_TASKS_IMAGE_STORE_URL": str(state / "uploads"),
            **settings,
        }
    )
    with ExitStack() as stack:
        for part in (parts.redis(redis_port, state / "redis"), parts.http_api(state / "metrics")):
            process = subprocess.Popen(  # noqa: S603 - the commands are our own
                part.command,
                cwd=ROOT,
                env={**part.environment, **environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        url = f"http://127.0.0.1:{port}"
        while probes.no_answer_of(f"{url}/livez"):
            sleep(0.1)
        yield Api(url, port, psutil.Process(process.pid).children()[0])


def percentile_ms(ask: Callable[[], requests.Response]) -> str:
    """Return the 95th percentile of the time to an answer, or that there was none."""
    seconds = []
    for _ in range(PROBES):
        begun = monotonic()
        try:
            ask().raise_for_status()
        except requests.RequestException:
            return "no answer"
        seconds.append(monotonic() - begun)
        sleep(0.01)
    return f"{statistics.quantiles(seconds, n=20)[-1] * 1000:.1f}"


def latencies(api: Api) -> list[str]:
    """Return the p95 of a look at `/livez`, and of a picture that is accepted."""
    image = SAMPLE.read_bytes()
    with requests.Session() as session:
        return [
            percentile_ms(lambda: session.get(f"{api.url}/livez", timeout=PATIENCE_SECONDS)),
            percentile_ms(lambda: post(session, api, image)),
        ]


def post(session: requests.Session, api: Api, image: bytes) -> requests.Response:
    """Send a picture as the body, and do not wait for its answer."""
    headers = {"Content-Type": "image/jpeg"}
    url = f"{api.url}/classify"
    return session.post(url, data=image, headers=headers, timeout=PATIENCE_SECONDS)


def cpu_ms_a_post(api: Api) -> float:
    """Return the worker's CPU time for one accepted picture, under a closed loop."""
    image = SAMPLE.read_bytes()

    def send(_: int) -> None:
        with requests.Session() as session:
            for _ in range(POSTS // CONNECTIONS):
                post(session, api, image).raise_for_status()

    before = api.cpu_seconds()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(send, range(CONNECTIONS)))
    return (api.cpu_seconds() - before) / POSTS * 1000


@contextmanager
def slow_sockets(api: Api) -> Iterator[None]:
    """Hold sockets that send a byte a second: half of them in the head, half in the body."""
    sockets = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(SLOW_SOCKETS)]
    for place, each in enumerate(sockets):
        each.sendall(HEAD if place % 2 else HEAD + BODY)
    done = Event()

    def trickle() -> None:
        while not done.wait(1.0 / SLOW_SOCKETS):
            each = sockets[0]
            sockets.append(sockets.pop(0))
            with suppress(ConnectionError):  # a server may refuse it; it still holds its place
                each.send(b"x")

    thread = Thread(target=trickle)
    thread.start()
    yield
    done.set()
    thread.join()
    for each in sockets:
        each.close()


@contextmanager
def waiting_clients(api: Api, task_id: str) -> Iterator[None]:
    """Hold clients that wait for a job that does not end; those that are answered ask again."""
    question = f"GET /result/{task_id}?wait=20 HTTP/1.1\r\nHost: petiole\r\n\r\n".encode()
    done = Event()
    with selectors.DefaultSelector() as selector:
        for _ in range(WAITING_CLIENTS):
            each = socket.create_connection(("127.0.0.1", api.port))
            each.sendall(question)
            selector.register(each, selectors.EVENT_READ)

        def ask_again() -> None:
            while not done.is_set():
                for key, _ in selector.select(0.2):
                    client: socket.socket = key.fileobj  # type: ignore[assignment]
                    if client.recv(65_536):
                        sleep(0.02)
                        client.sendall(question)
                    else:
                        selector.unregister(client)

        thread = Thread(target=ask_again)
        thread.start()
        yield
        done.set()
        thread.join()
        for key in selector.get_map().values():
            key.fileobj.close()  # type: ignore[union-attr]


def cpu_ms() -> dict[str, float]:
    """Return each server's CPU time for a POST: medians of short rounds in turn, side by side."""
    figures: dict[str, list[float]] = {name: [] for name in KINDS}
    with ExitStack() as stack:
        apis = {
            name: stack.enter_context(started_api(settings, Path(stack.enter_context(state()))))
            for name, settings in KINDS.items()
        }
        for _ in range(CPU_ROUNDS):
            for name, api in apis.items():
                figures[name].append(cpu_ms_a_post(api))
    return {name: statistics.median(each) for name, each in figures.items()}


def state() -> tempfile.TemporaryDirectory[str]:
    """Return a directory that goes with its block."""
    return tempfile.TemporaryDirectory(prefix="petiole-slow-")


def crowds(settings: dict[str, str]) -> list[str]:
    """Return the p95 of both probes in calm and beside each crowd, and the memory."""
    with state() as directory, started_api(settings, Path(directory)) as api:
        task_id = post(requests.Session(), api, SAMPLE.read_bytes()).json()["task_id"]
        row = latencies(api)
        with waiting_clients(api, task_id):
            row += latencies(api)
            row.append(f"{api.worker.memory_info().rss / 2**20:.0f}")
        with slow_sockets(api):
            row += latencies(api)
        with slow_sockets(api), waiting_clients(api, task_id):
            return row + latencies(api)


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.slow_clients", description=__doc__)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    cpu = cpu_ms()
    rows = [(name, f"{cpu[name]:.2f}", *crowds(settings)) for name, settings in KINDS.items()]
    what = f"95th percentiles of {PROBES} in milliseconds; CPU: medians of {CPU_ROUNDS} rounds."
    text = f"{report.heading(what)}\n\n{table(COLUMNS, rows)}"
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
