"""`python -m chaos.costs`: what a picture costs each service while nothing is wrong with it."""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import psutil

from benchmarks import report
from chaos import executions
from chaos.layout import Layout
from chaos.run import Run, say
from chaos.services import OURS, PEERS, SERVICES
from chaos.stack import MIB, Service, Stack, StackError
from petiole.markdown import table

PICTURES = 200
PAUSE_SECONDS = 0.1
SETTLE_SECONDS = 5.0
IDLE_SECONDS = 20.0
PATIENCE_SECONDS = 30.0
WORK_MS = Layout().work_seconds * 1000
MARK = "costs"
HEAD = (
    "service",
    "Redis commands a picture",
    "round trips to Redis a picture",
    "Redis commands a second, idle",
    "CPU ms a picture",
    "POST ms (p50, p99)",
    "a worker's child, PSS MiB",
    "all processes, PSS MiB",
)


@dataclass(frozen=True)
class Traffic:
    """What Redis had to do since it started; commands of scripts are counted one by one."""

    commands: float
    reads: float
    """From sockets: a pipeline is one."""

    def since(self, earlier: "Traffic", *, seconds: float, idle: "Traffic") -> "Traffic":
        """Return what came since then, without what comes in that time anyway."""
        return Traffic(
            self.commands - earlier.commands - idle.commands * seconds,
            self.reads - earlier.reads - idle.reads * seconds,
        )


NOTHING = Traffic(0, 0)


@dataclass(frozen=True)
class Costs:
    """What one service took.

    Attributes:
        name: Of the service.
        idle: Traffic a second, without pictures.
        busy: Traffic for each picture, beyond that.
        cpu_ms: Of all processes for each picture, Redis among them.
        post_ms: Of each POST, one at a time.
        child_mib: PSS of one child of a worker.
        whole_mib: PSS of all processes.
    """

    name: str
    idle: Traffic
    busy: Traffic
    cpu_ms: float
    post_ms: list[float]
    child_mib: float
    whole_mib: float


def main(words: Sequence[str] | None = None) -> None:
    """Measure the services that the command line names, and print one table."""
    parser = argparse.ArgumentParser(prog="chaos.costs", description=__doc__)
    parser.add_argument("services", nargs="*", choices=[[], *SERVICES], metavar="SERVICE")
    parser.add_argument("--document", type=Path, help="write the table between its marks")
    arguments = parser.parse_args(words)
    names = arguments.services or [OURS, *PEERS]
    text = markdown([costs_of(SERVICES[name]) for name in names])
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


def costs_of(service: Service) -> Costs:
    """Start a service, send it pictures one after another, and return what that took."""
    directory = Path(tempfile.mkdtemp(prefix="petiole-costs-"))
    stack = Stack(directory, Layout(), service)
    try:
        stack.start()
        return _measured(stack)
    finally:
        stack.stop()


def _measured(stack: Stack) -> Costs:
    run = Run(stack, np.random.default_rng(1))
    run.burst()
    sleep(SETTLE_SECONDS)
    say(f"{stack.service.name}: nothing for {IDLE_SECONDS:g} s")
    before = _traffic(stack)
    sleep(IDLE_SECONDS)
    idle = _each(_traffic(stack).since(before, seconds=0.0, idle=NOTHING), IDLE_SECONDS)
    say(f"{stack.service.name}: {PICTURES} pictures")
    begun, before, cpu_before = monotonic(), _traffic(stack), _cpu_seconds(stack)
    post_ms = _classify(run)
    seconds = monotonic() - begun
    return Costs(
        name=stack.service.name,
        idle=idle,
        busy=_each(_traffic(stack).since(before, seconds=seconds, idle=idle), PICTURES),
        cpu_ms=(_cpu_seconds(stack) - cpu_before) * 1000 / PICTURES,
        post_ms=post_ms,
        child_mib=_pss_mib(stack.family("worker")[-1:]),
        whole_mib=_pss_mib(stack.processes()),
    )


def _classify(run: Run) -> list[float]:
    """Send pictures one by one, ask for each result once; return what each POST took in ms."""
    begun, before = len(run.journal.attempts), _executed(run)
    task_ids = []
    for _ in range(PICTURES):
        task_ids.append(str(run.send()))
        sleep(PAUSE_SECONDS)
    posts = run.journal.attempts[begun:]
    if not run.waits_for(lambda: _executed(run) >= before + PICTURES, seconds=PATIENCE_SECONDS):
        raise StackError(f"{PICTURES} pictures are not classified in {PATIENCE_SECONDS:g} s")
    sleep(1.0)
    for task_id in task_ids:
        run.journal.look(run.stack.api, task_id)
    return [post.seconds * 1000 for post in posts]


def _executed(run: Run) -> int:
    return executions.counted(run.stack.executions).total()


def _traffic(stack: Stack) -> Traffic:
    with stack.redis() as client:
        commands = client.info("commandstats").values()
        reads = client.info("stats")["total_reads_processed"]
    return Traffic(sum(command["calls"] for command in commands), reads)


def _each(traffic: Traffic, count: float) -> Traffic:
    return Traffic(traffic.commands / count, traffic.reads / count)


def _cpu_seconds(stack: Stack) -> float:
    times = [process.cpu_times() for process in stack.processes()]
    return sum(each.user + each.system for each in times)


def _pss_mib(processes: Sequence[psutil.Process]) -> float:
    return sum(process.memory_full_info().pss for process in processes) / MIB


def markdown(found: Sequence[Costs]) -> str:
    """Return the table, one row for each service."""
    what = (
        f"{PICTURES} pictures, one after another, of {WORK_MS:g} ms each; 1 worker of 2 children."
    )
    return f"{report.heading(what)}\n\n{table(HEAD, [_row(each) for each in found])}"


def _row(found: Costs) -> tuple[str, ...]:
    percentiles = statistics.quantiles(found.post_ms, n=100)
    return (
        found.name,
        f"{found.busy.commands:.1f}",
        f"{found.busy.reads:.1f}",
        f"{found.idle.commands:.1f}",
        f"{found.cpu_ms:.1f}",
        f"{percentiles[49]:.1f}, {percentiles[98]:.1f}",
        f"{found.child_mib:.0f}",
        f"{found.whole_mib:.0f}",
    )


if __name__ == "__main__":
    main()
