"""`make swap-bench`: latency while a version takes over, beside the same load in calm.

Promotes three copies of the installed model in turn, under a closed loop of clients, and
writes the table into `docs/performance.md`. Memory is bounded so that each has to be loaded.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import copytree, ignore_patterns
from threading import Event, Lock, Thread
from time import monotonic, sleep

import requests

from benchmarks import report
from benchmarks.service import ROOT, SAMPLE, Started, started_service
from model_store import ModelStore
from petiole.markdown import table

CLIENTS = 4
CALM_SECONDS = 6.0
SETTLE_SECONDS = 1.0
VERSIONS = 3
MARK = "swap"


@dataclass(frozen=True)
class Answered:
    """One answered request: when it was sent, how long it took, its status and version."""

    sent_at: float
    seconds: float
    status: int
    version: int


@dataclass
class Clients:
    """A closed loop: each client sends the next picture when the last one is answered."""

    api: str
    answers: list[Answered] = field(default_factory=list)
    done: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def send(self) -> None:
        """Send pictures until `done`."""
        upload, headers = SAMPLE.read_bytes(), {"Content-Type": "image/jpeg"}
        with requests.Session() as session:
            while not self.done.is_set():
                sent_at = monotonic()
                url = f"{self.api}/classify?wait=30&top_k=1"
                response = session.post(url, data=upload, headers=headers, timeout=60)
                version = response.json().get("model_version", 0)
                took = monotonic() - sent_at
                with self.lock:
                    self.answers.append(Answered(sent_at, took, response.status_code, version))


@contextmanager
def closed_loop(api: str) -> Iterator[Clients]:
    """Run the clients for the duration of the block."""
    clients = Clients(api)
    threads = [Thread(target=clients.send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    yield clients
    clients.done.set()
    for thread in threads:
        thread.join()


def three_versions(directory: Path) -> ModelStore:
    """Publish the installed model three times into a store of its own."""
    installed = ModelStore.open(
        os.environ.get("PETIOLE_MODELS_STORE_URL") or str(ROOT / "var" / "models")
    )
    name, version = installed.resolve("imagenet")
    card, files = installed.card(name, version), installed.fetch(name, version)
    store = ModelStore.open(str(directory / "models"))
    for n in range(VERSIONS):
        copy = directory / f"files-{n}"
        copytree(files, copy, ignore=ignore_patterns("card.json*", "claim"))
        store.publish(copy, replace(card, files={}))
    return store


def wait_for_version(service: Started, version: int) -> None:
    """Return when every child has the version and answers with it."""
    deadline = monotonic() + 120
    ref = f"imagenet@{version}"
    while monotonic() < deadline:
        children = requests.get(f"{service.api}/readyz", timeout=10).json()["children"]
        if all(
            any(m.startswith(f"{ref} ") for m in child.get("models") or ()) for child in children
        ):
            return
        sleep(0.1)
    sys.exit(f"{ref} did not take over within 120 s")


def measure(store: ModelStore, service: Started, *, promotions: int) -> str:
    """Return the table of calm and swap latencies."""
    calm: list[tuple[float, float]] = []
    swaps: list[tuple[float, float]] = []
    with closed_loop(service.api) as clients:
        sleep(CALM_SECONDS)
        for n in range(promotions):
            begun = monotonic()
            sleep(CALM_SECONDS)
            calm.append((begun, monotonic()))
            begun = monotonic()
            version = (n + 1) % VERSIONS + 1
            store.set_alias("imagenet", "production", version)
            wait_for_version(service, version)
            sleep(SETTLE_SECONDS)
            swaps.append((begun, monotonic()))
    return _table(clients.answers, calm, swaps)


def _table(
    answers: list[Answered], calm: list[tuple[float, float]], swaps: list[tuple[float, float]]
) -> str:
    rows = [_row("calm", answers, calm), _row("while a version takes over", answers, swaps)]
    ratio = float(rows[1][3]) / float(rows[0][3])
    failed = sum(answer.status != requests.codes.ok for answer in answers)
    seconds = statistics.median(end - begin - SETTLE_SECONDS for begin, end in swaps)
    head = ("", "answers", "p50 ms", "p99 ms", "pictures/s")
    what = (
        f"{len(swaps)} promotions under {CLIENTS} clients; a version took over in"
        f" {seconds:.1f} s (median); {failed} of {len(answers)} requests failed;"
        f" p99 ratio {ratio:.2f}."
    )
    return f"{report.heading(what)}\n\n{table(head, rows)}"


def _row(
    name: str, answers: list[Answered], spans: list[tuple[float, float]]
) -> tuple[str, str, str, str, str]:
    took_ms = sorted(
        answer.seconds * 1000
        for answer in answers
        if any(begin <= answer.sent_at < end for begin, end in spans)
    )
    hundredths = statistics.quantiles(took_ms, n=100)
    rate = len(took_ms) / sum(end - begin for begin, end in spans)
    return name, str(len(took_ms)), f"{hundredths[49]:.0f}", f"{hundredths[98]:.0f}", f"{rate:.1f}"


def main() -> None:
    """Measure, print the table, and write it into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--promotions", type=int, default=10)
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "performance.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as state:
        store = three_versions(Path(directory))
        os.environ["PETIOLE_MODELS_STORE_URL"] = str(Path(directory) / "models")
        os.environ["PETIOLE_MODELS_MAX_LOADED_BYTES"] = "1"
        with started_service(Path(state)) as service:
            text = measure(store, service, promotions=arguments.promotions)
    print(text)  # noqa: T201 - the table is the output
    report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
