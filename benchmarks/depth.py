"""`python -m benchmarks.depth`: what submit, poll and drain cost while many jobs wait.

For each depth a service of its own, whose model does no work. Its classify worker is stopped in its
tracks (SIGSTOP) while the queue is filled over HTTP and while pictures are submitted and polled, in
turn with the other depths; then they take turns in working off the first jobs of their queues.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from json import loads
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import numpy as np

from benchmarks import processes, report, wrk
from chaos import pictures
from chaos.layout import Layout
from chaos.service import OURS
from chaos.stack import Stack, StackError
from petiole.markdown import table

DEPTHS = (0, 1_000, 100_000)
ROUNDS, STEP = 5, 200
"""Rounds, and the jobs that are submitted and polled in each."""

WARM, DRAINED = 100, 500
"""Jobs that a worker does in each round before its time counts, and while it does."""

FILL_SECONDS = 2.0
PATIENCE_SECONDS = 300.0
ROOM = {
    "PETIOLE_TASKS_MAX_OPEN_JOBS": "1000000",
    "PETIOLE_TASKS_MAX_OPEN_BYTES": "100000000000",
}
MARK = "depth"
HEAD = (
    "waiting jobs",
    "submit: CPU ms",
    "p50 ms",
    "poll: CPU ms",
    "p50 ms",
    "drain: CPU ms",
    "of it Redis",
    "ms a job",
    "Redis' memory, MB",
)


@dataclass(frozen=True)
class Cost:
    """Of one job: CPU milliseconds of all processes, Redis' among them, and those of the clock."""

    cpu_ms: float
    redis_ms: float
    clock_ms: float


@dataclass(frozen=True)
class Used:
    """CPU seconds so far: of all processes of a service, Redis' among them."""

    all_seconds: float
    redis_seconds: float

    def since(self, before: "Used", *, jobs: int, clock_ms: float) -> Cost:
        """Return what each of some jobs has cost since then."""
        return Cost(
            1000 * (self.all_seconds - before.all_seconds) / jobs,
            1000 * (self.redis_seconds - before.redis_seconds) / jobs,
            clock_ms,
        )


@dataclass(frozen=True)
class Costs:
    """What was found at one depth; `waiting` is how many jobs there were in truth."""

    waiting: int
    submit: Cost
    poll: Cost
    drain: Cost
    redis_mb: float


class Side:
    """One service whose queue is as deep as is wanted, and what was measured there so far."""

    def __init__(self, directory: Path, stack: Stack) -> None:
        """Draw the picture that it is sent."""
        self.stack = stack
        self.image = directory / "picture.png"
        self.image.write_bytes(pictures.drawn(np.random.default_rng(1)).upload)
        self.connection = HTTPConnection(stack.api.removeprefix("http://"), timeout=60)
        self.waiting = 0
        self.submits: list[Cost] = []
        self.polls: list[Cost] = []
        self.drains: list[Cost] = []

    def fill(self, depth: int) -> None:
        """Warm the service, stop its worker in its tracks, and let so many jobs wait."""
        for task_id in [_submit(self.connection, self.image) for _ in range(20)]:
            _ask(self.connection, f"/result/{task_id}?wait=20")
        _freeze(self.stack)
        _fill(self.stack, self.image, depth)
        self.waiting = _waiting(self.stack)

    def step(self) -> None:
        """Submit some jobs, and ask for each of them."""
        # The server closes a connection that was idle for long; it is opened anew.
        self.connection.close()
        new: list[str] = []
        submit = _each(self.stack, lambda _: new.append(_submit(self.connection, self.image)))
        poll = _each(self.stack, lambda n: _ask(self.connection, f"/result/{new[n]}"))
        self.submits.append(submit)
        self.polls.append(poll)

    def drain(self) -> None:
        """Submit some jobs, let the worker do the first of all, and stop it in its tracks again."""
        self.connection.close()
        for _ in range(WARM + DRAINED + STEP):
            _submit(self.connection, self.image)
        for process in self.stack.family("worker"):
            process.resume()
        try:
            self.drains.append(_drained(self.stack))
        finally:
            _freeze(self.stack)

    def costs(self) -> Costs:
        """Return the medians of all steps."""
        with self.stack.redis() as client:
            redis_mb = client.info("memory")["used_memory"] / 1e6
        submit, poll, drain = map(_median, (self.submits, self.polls, self.drains))
        return Costs(self.waiting, submit, poll, drain, redis_mb)


def costs_at(depths: Sequence[int]) -> list[Costs]:
    """Return what a job costs in each depth; submitting and polling take turns between them."""
    with ExitStack() as all_of_them:
        sides = []
        for depth in depths:
            directory = Path(all_of_them.enter_context(TemporaryDirectory(prefix="petiole-depth-")))
            stack = Stack(directory, Layout(work_seconds=0.0, environment=ROOM), OURS)
            all_of_them.callback(stack.stop)
            stack.start()
            sides.append(Side(directory, stack))
            sides[-1].fill(depth)
        for step in (Side.step, Side.drain):
            for number in range(ROUNDS):
                for side in sides if number % 2 == 0 else sides[::-1]:
                    step(side)
        return [side.costs() for side in sides]


def _median(found: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(each.cpu_ms for each in found),
        statistics.median(each.redis_ms for each in found),
        statistics.median(each.clock_ms for each in found),
    )


def _freeze(stack: Stack) -> None:
    for process in stack.family("worker"):
        process.suspend()


def _fill(stack: Stack, image: Path, depth: int) -> None:
    while (waiting := _waiting(stack)) < depth:
        print(f"{waiting} of {depth} jobs wait", file=sys.stderr)  # noqa: T201
        seconds = FILL_SECONDS if depth < 10 * DEPTHS[1] else 10 * FILL_SECONDS
        result = wrk.send(f"{stack.api}/classify", [image], connections=16, seconds=seconds)
        if not result.finished:
            raise StackError(f"no more than {waiting} jobs are accepted")


def _waiting(stack: Stack) -> int:
    with stack.redis() as client:
        return sum(client.zcard(key) for key in client.keys("petiole:open:*"))


def _each(stack: Stack, step: Callable[[int], object]) -> Cost:
    """Take a step `STEP` times; the clock's time is the median."""
    before, took = _used(stack), []
    for number in range(STEP):
        begun = monotonic()
        step(number)
        took.append(monotonic() - begun)
    return _used(stack).since(before, jobs=STEP, clock_ms=1000 * statistics.median(took))


def _drained(stack: Stack) -> Cost:
    """Return what `DRAINED` jobs cost, once the worker is warm again."""
    first = _executed(stack)
    _wait_until_executed(stack, first + WARM)
    begun, used, before = monotonic(), _used(stack), _executed(stack)
    _wait_until_executed(stack, before + DRAINED)
    done, now = _executed(stack) - before, _used(stack)
    return now.since(used, jobs=done, clock_ms=1000 * (monotonic() - begun) / done)


def _executed(stack: Stack) -> int:
    return stack.executions.read_bytes().count(b"\n")


def _wait_until_executed(stack: Stack, count: int) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while _executed(stack) < count:
        if monotonic() > deadline:
            raise StackError(f"{count} jobs are not over in {PATIENCE_SECONDS:g} s")
        sleep(0.02)


def _used(stack: Stack) -> Used:
    ids = stack.supervisor.process_ids()
    return Used(processes.tree(*ids.values()).cpu_seconds, processes.tree(ids["redis"]).cpu_seconds)


def _submit(connection: HTTPConnection, image: Path) -> str:
    connection.request("POST", "/classify", image.read_bytes(), {"Content-Type": "image/png"})
    task_id: str = loads(connection.getresponse().read())["task_id"]
    return task_id


def _ask(connection: HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    connection.getresponse().read()


def markdown(found: Sequence[Costs]) -> str:
    """Return the table: costs at each depth, and in brackets their ratio to the first."""
    what = (
        f"A model without work, 8 x 8 pixels; {ROUNDS} rounds of {STEP} submitted and polled one"
        f" after the other, then {ROUNDS} of {DRAINED} drained,\nall interleaved; medians, the CPU"
        " of all processes; in brackets the ratio to the first row."
    )
    rows = [_row(each, found[0]) for each in found]
    return f"{report.heading(what)}\n\n{table(HEAD, rows)}"


def _row(each: Costs, first: Costs) -> tuple[str, ...]:
    pairs = (
        *((each.submit.cpu_ms, first.submit.cpu_ms), (each.submit.clock_ms, first.submit.clock_ms)),
        *((each.poll.cpu_ms, first.poll.cpu_ms), (each.poll.clock_ms, first.poll.clock_ms)),
        (each.drain.cpu_ms, first.drain.cpu_ms),
        (each.drain.redis_ms, first.drain.redis_ms),
        (each.drain.clock_ms, first.drain.clock_ms),
    )
    cells = [f"{now:.2f} ({now / then:.2f})" for now, then in pairs]
    return f"{each.waiting:,}", *cells, f"{each.redis_mb:.0f}"


def main() -> None:
    """Measure each depth, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.depth", description=__doc__)
    parser.add_argument("--depths", type=int, nargs="+", default=list(DEPTHS))
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    wrk.demand()
    text = markdown(costs_at(arguments.depths))
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
