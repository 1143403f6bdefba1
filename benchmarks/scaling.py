"""`python -m benchmarks.scaling`: how many workers a day's load needs, how long its pictures wait.

Simulates KEDA's loop on open work (`deploy/kubernetes/keda`) for days with ever higher peaks, and
says beside it what queueing theory asks for, and how busy Redis is. What a worker does, how long it
takes to start and what Redis does for a picture are those of docs/performance.md; `--measure` runs
the service and takes what it sees instead (needs wrk).
"""

import argparse
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import redis

from benchmarks import pictures, queueing, report, wrk
from benchmarks.autoscaler import Autoscaler, Rules
from benchmarks.service import ROOT, load, loaded, started_service
from benchmarks.simulation import Outcome, Workers, day, in_ticks
from petiole.markdown import table
from tasks.settings import EMBEDDED_ADDRESS

PEAKS = (10, 100, 1_000, 10_000, 100_000)
TARGETS = (1.0, 1.4, 2.0, 4.0, 16.0)
COMPARED_AT = 1_000
CHILDREN = 2
NEW_NODE_SECONDS = 90.0
"""Assumed, not measured: a machine of a cloud, its image pulled, before the start of the worker."""
CLOSE_SECONDS = 0.1
BUSY = 0.7
"""Share of a core up to which Redis' own queue stays short."""
SEED = 1
MARK = "scaling"


@dataclass(frozen=True)
class Figures:
    """What the simulation rests on.

    Attributes:
        per_second: Pictures that one pod with two children and a core for each does.
        start_seconds: From the start of a worker until it takes pictures.
        redis_ms: CPU milliseconds of Redis for a picture.
        commands: Commands of Redis for a picture, those inside scripts among them.
        source: Where they are from.
    """

    per_second: float
    start_seconds: float
    redis_ms: float
    commands: float
    source: str

    @property
    def pod(self) -> Workers:
        """One pod, as the simulation takes it."""
        return Workers(CHILDREN, CHILDREN / self.per_second, self.start_seconds)

    @property
    def redis_per_second(self) -> float:
        """Pictures a second at which one Redis has its core to itself and no time left."""
        return 1000 / self.redis_ms


def documented(text: str) -> Figures:
    """Return the figures of docs/performance.md, from its tables."""

    def cell(row: str) -> float:
        return float(re.search(rf"^\| {row} \| \**([\d.]+)", text, re.MULTILINE)[1])  # type: ignore[index]

    return Figures(
        per_second=cell("children: 2"),
        start_seconds=cell("`make run` to ready, second start"),
        redis_ms=cell("service: redis"),
        commands=cell(r"\*\*commands, those inside scripts among them\*\*"),
        source="docs/performance.md",
    )


def measured(images: Sequence[Path], *, seconds: float) -> Figures:
    """Run the service with two children, and return what it does under load."""
    two = {"PETIOLE_UP_CLASSIFY_CHILDREN": str(CHILDREN)}
    with tempfile.TemporaryDirectory() as folder, started_service(Path(folder)):
        pass  # The second start is the one that counts: files are in the page cache.
    with (
        tempfile.TemporaryDirectory() as folder,
        started_service(Path(folder), environment=two) as service,
    ):
        load(service.api, images, connections=16, seconds=3)
        address = (Path(folder) / EMBEDDED_ADDRESS).read_text("utf-8").strip()
        before = _commands(address)
        result, cpu_ms = loaded(service, images, connections=16, seconds=seconds)
        commands = (_commands(address) - before) / result.finished
    return Figures(
        result.rate, service.ready_seconds, cpu_ms["redis"], commands, "a run just before"
    )


def _commands(address: str) -> int:
    with redis.Redis.from_url(address) as client:
        stats: Any = client.info("commandstats")
    return sum(each["calls"] for each in stats.values())


def simulated(
    peak: float, figures: Figures, *, target: float = Rules().target, more: float = 0.0
) -> Outcome:
    """Return what becomes of a day with such a peak, where a start takes some seconds `more`."""
    pod = Workers(CHILDREN, figures.pod.service_seconds, figures.start_seconds + more)
    rng = np.random.default_rng(SEED)
    return in_ticks(day(peak, rng), pod, Autoscaler(Rules(target=target)), rng)


def by_load(figures: Figures) -> str:
    """Return the table of peaks."""
    head = (
        *("pictures/s at the peak", "pods, most", "pods, mean", "wait p95 s", "wait longest s"),
        *("p95, longest with a new node", "pods by M/M/c", "Redis' core", "Redis servers"),
    )
    return table(head, [_row_of_load(peak, figures) for peak in PEAKS])


def _row_of_load(peak: int, figures: Figures) -> tuple[str, ...]:
    here, far = simulated(peak, figures), simulated(peak, figures, more=NEW_NODE_SECONDS)
    children = queueing.fewest_servers(
        peak, figures.pod.service_seconds, wait_seconds=CLOSE_SECONDS
    )
    busy = peak / figures.redis_per_second
    return (
        *(f"{peak:,}", f"{here.pods.max():,}", f"{here.pods.mean():,.1f}"),
        *(_seconds(here.wait_quantile_seconds()), f"{here.waits.max():.0f}"),
        f"{_seconds(far.wait_quantile_seconds())}, {far.waits.max():.0f}",
        *(f"{ceil(children / CHILDREN):,}", f"{busy:.0%}", f"{ceil(busy / BUSY):,}"),
    )


def by_target(figures: Figures) -> str:
    """Return the table of open jobs that one pod stands for."""
    head = ("open jobs a pod", "pods, most", "pods, mean", "wait p95 s", "wait p99 s", "longest s")
    found = {each: simulated(COMPARED_AT, figures, target=each) for each in TARGETS}
    return table(head, [_row_of_target(each, outcome) for each, outcome in found.items()])


def _row_of_target(target: float, outcome: Outcome) -> tuple[str, ...]:
    quantiles = (_seconds(outcome.wait_quantile_seconds(share)) for share in (0.95, 0.99))
    pods = (f"{outcome.pods.max():,}", f"{outcome.pods.mean():.1f}")
    return (f"{target:g}", *pods, *quantiles, f"{outcome.waits.max():.0f}")


def _seconds(wait: float) -> str:
    """Return a wait as far as ticks of a second can tell it."""
    return f"{wait:.0f}" if wait else "< 1"


def markdown(figures: Figures) -> str:
    """Return both tables, and what they rest on."""
    limit = figures.redis_per_second
    rests = (
        f"Figures of {figures.source}: a pod does {figures.per_second:.1f} pictures/s and starts in"
        f" {figures.start_seconds:.1f} s;\nRedis takes {figures.redis_ms:.2f} ms and"
        f" {figures.commands:.1f} commands for a picture, so one server ends at {limit:,.0f}"
        f" pictures/s\n({limit * figures.commands:,.0f} commands/s). Simulated days, seed {SEED}."
    )
    return "\n\n".join(
        [rests, by_load(figures), f"At {COMPARED_AT:,} pictures/s:", by_target(figures)]
    )


def main() -> None:
    """Simulate, print the tables, and write them into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.scaling", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="run the service for the figures")
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the load that is measured")
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    if arguments.measure:
        wrk.demand()
        images = pictures.chosen(arguments.images)
        figures = measured(images.files, seconds=arguments.seconds)
    else:
        figures = documented((ROOT / "docs" / "performance.md").read_text(encoding="utf-8"))
    text = markdown(figures)
    print(text)  # noqa: T201 - the tables are the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
