"""`python -m benchmarks.trace_costs`: what traces cost a picture, off and on.

Calls all that is called of `tasks.tracing` for a picture that is uploaded and whose client is told
by webhook, in three states in turns; the receiver of the spans is a process of its own.
"""

import argparse
import multiprocessing
import os
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time, time

from benchmarks import report
from benchmarks.otlp import receiving
from benchmarks.service import ROOT
from petiole.markdown import table
from tasks import correlation
from tasks.correlation import Correlation
from tasks.job_stores import Job
from tasks.job_stores.webhooks import Webhook
from tasks.tracing import recording, spans

ROUNDS, PICTURES = 15, 5000
RECORDED = 200
"""So many at once fit into the queue of the SDK (2,048 spans), so none is dropped."""
SPANS = 9
"""The request, accept, queue, claim, decode, predict, finish, classify, webhook."""
ENDPOINT = recording.ENDPOINTS[0]
IDS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
SAMPLED, SILENT = f"{IDS}-01", f"{IDS}-00"
OFF, UNSAMPLED, ON = "off", "on, and the client does not sample", "on"
MARK = "trace-costs"
HEAD = ("traces", "spans", "CPU µs a picture", "of the rounds", "of a picture's CPU")


def picture(trace: str) -> None:
    """Do what API and workers do for the trace of one picture."""
    began_at = time()
    job = _accepted(trace, began_at)
    with correlation.of(job), spans.attempt(job, began_at=began_at):
        for name in ("decode", "predict", "finish"):
            spans.stage(job, name, perf_counter(), perf_counter(), model="imagenet@1")
    webhook = Webhook(job.task_id, "", "", began_at, began_at, attempts=1, trace=job.trace)
    spans.of_try(webhook)
    spans.tried(webhook, "127.0.0.1", began_at, error="")


def _accepted(trace: str, began_at: float) -> Job:
    request = recording.open_span(trace, began_at=began_at)
    correlation.begin(Correlation("r", request.trace if request else trace))
    job = Job("t", "imagenet", 5, "", began_at, began_at, attempts=1, fence=1, stage="classify")
    job = replace(job, trace=spans.of_new(job.task_id))
    spans.accepted(job)
    if request:
        request.end("POST /classify", {"http.response.status_code": 202})
    return job


def without(trace: str) -> None:
    """Do the same without any call of traces, which is what the others are compared with."""
    began_at = time()
    correlation.begin(Correlation("r", trace))
    job = Job("t", "imagenet", 5, "", began_at, began_at, attempts=1, fence=1, stage="classify")
    job = replace(job, trace=trace)
    with correlation.of(job):
        for _ in ("decode", "predict", "finish"):
            perf_counter(), perf_counter()
    Webhook(job.task_id, "", "", began_at, began_at, attempts=1, trace=job.trace)


def cost_us(
    work: Callable[[str], None], trace: str, *, n: int, end: Callable[[], None] | None = None
) -> float:
    """Return the CPU microseconds of one picture, of this process and its threads.

    `end` is what sends the last spans, and counts.
    """
    begun = process_time()
    for _ in range(n):
        work(trace)
    if end:
        end()
    return 1e6 * (process_time() - begun) / n


def measured(rounds: int) -> dict[str, list[float]]:
    """Return what traces add to a picture in each state, in each round."""
    found: dict[str, list[float]] = {OFF: [], UNSAMPLED: [], ON: []}
    with _receiver() as endpoint:
        for _ in range(rounds + 1):
            bare = cost_us(without, SAMPLED, n=PICTURES)
            found[OFF].append(cost_us(picture, SAMPLED, n=PICTURES) - bare)
            for state, trace in ((UNSAMPLED, SILENT), (ON, SAMPLED)):
                with _recording(endpoint) as end:
                    found[state].append(cost_us(picture, trace, n=RECORDED, end=end) - bare)
    # The first one imports and warms up.
    return {state: costs[1:] for state, costs in found.items()}


@contextmanager
def _recording(endpoint: str) -> Iterator[Callable[[], None]]:
    """Record in this process until the block ends; gives what sends the last spans."""
    os.environ[ENDPOINT] = endpoint
    recording.begin("benchmark")
    try:
        yield recording.end
    finally:
        recording.end()
        del os.environ[ENDPOINT]


@contextmanager
def _receiver() -> Iterator[str]:
    """Run a receiver in another process; gives its address."""
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_receive, args=(its,))
    process.start()
    try:
        yield str(ours.recv())
    finally:
        ours.send(None)
        process.join()


def _receive(pipe: Connection) -> None:
    with receiving() as receiver:
        pipe.send(receiver.endpoint)
        pipe.recv()


def markdown(found: Mapping[str, Sequence[float]], picture_ms: float, what: str) -> str:
    """Return the table, a row for each state; `picture_ms` is all that a picture costs."""
    rows = [_row(state, costs, picture_ms) for state, costs in found.items()]
    return f"{report.heading(what)}\n\n{table(HEAD, rows)}"


def _row(state: str, costs: Sequence[float], picture_ms: float) -> tuple[str, ...]:
    median = statistics.median(costs)
    spread = f"{min(costs):.1f} to {max(costs):.1f}"
    share = f"{100 * median / (1000 * picture_ms):.2f} %"
    return state, str(SPANS if state == ON else 0), f"{median:.1f}", spread, share


def documented_ms(text: str) -> float:
    """Return the CPU milliseconds of a picture by docs/performance.md, all processes together."""
    return float(re.search(r"^\| \*\*service, sum\*\* \| \*\*([\d.]+)", text, re.MULTILINE)[1])  # type: ignore[index]


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.trace_costs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    what = f"{arguments.rounds} rounds, interleaved; medians."
    picture_ms = documented_ms((ROOT / "docs" / "performance.md").read_text(encoding="utf-8"))
    text = markdown(measured(arguments.rounds), picture_ms, what)
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
