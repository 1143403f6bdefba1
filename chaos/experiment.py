"""From a scenario to its row: start, measure, hurt, wait, measure again, look for what is left."""

import shutil
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np

from chaos import executions
from chaos.findings import Measured, findings
from chaos.run import Run, Scenario, say
from chaos.service import OURS
from chaos.stack import Service, Stack, StackError
from petiole.chaos.findings import THROUGHPUT_SHARE, Findings
from petiole.chaos.load import Watcher

BURST_SECONDS = 10.0
BURSTS_AFTERWARDS = 3
TIDY_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 100.0


def row_of(scenario: Scenario, *, seed: int, service: Service = OURS) -> Findings:
    """Start a service, run the scenario on it, and return what became of its pictures.

    The directory with the service's log is kept, and named, when a promise was broken.
    """
    directory = Path(tempfile.mkdtemp(prefix=f"petiole-chaos-{scenario.name}-"))
    say(f"{scenario.name}: {scenario.title}")
    try:
        row = _row(scenario, Stack(directory, scenario.layout, service), seed)
    except StackError as exc:
        say(f"{scenario.name}: not run: {exc}")
        return Findings(scenario.name, skipped=str(exc))
    if row.broken:
        say(f"{scenario.name}: BROKEN: {'; '.join(row.broken)}; see {directory / 'log'}")
    else:
        say(f"{scenario.name}: every promise kept")
        shutil.rmtree(directory)
    return row


def _row(scenario: Scenario, stack: Stack, seed: int) -> Findings:
    outlived: list[str] = []
    try:
        stack.start()
        run = Run(stack, np.random.default_rng(seed))
        measured = _measured(scenario, run)
    finally:
        outlived = stack.stop()
    left = (*measured.left, *(f"left running: {command}" for command in outlived))
    done = executions.counted(stack.executions)
    whole = Measured(done, measured.rate_before, measured.rate_after, left)
    return findings(scenario, run, whole)


def _measured(scenario: Scenario, run: Run) -> Measured:
    stack = run.stack
    with Watcher(run.journal, stack.api) as watcher:
        # A layout that does not wait for readiness has nothing to compare with.
        before = _rate(run, watcher) if stack.layout.waits_until_ready else 0.0
        run.begun_at = run.healed_at = monotonic()
        scenario.act(run)
        settled = watcher.wait(until=monotonic() + scenario.answers_within)
        say("all answered" if settled else f"{len(run.journal.open())} not answered in time")
        bursts = BURSTS_AFTERWARDS if settled else 1
        after = _rate_again(run, watcher, before, bursts) if run.serves else 0.0
    _look_again(run)
    return Measured(executions.counted(stack.executions), before, after, _left(run))


def _rate(run: Run, watcher: Watcher) -> float:
    """Return how many pictures of a burst are answered in a second."""
    begun = monotonic()
    task_ids = run.burst()
    watcher.wait_for(task_ids, until=begun + BURST_SECONDS)
    answered = len(set(task_ids).intersection(run.journal.ends))
    return answered / (monotonic() - begun)


def _rate_again(run: Run, watcher: Watcher, before: float, bursts: int) -> float:
    """Return the best rate of a few bursts: a busy machine slows one down, a lost child all."""
    rate = 0.0
    for _ in range(bursts):
        rate = max(rate, _rate(run, watcher))
        if rate >= THROUGHPUT_SHARE * before:
            break
    return rate


def _look_again(run: Run) -> None:
    """See that each end that is still kept is the one that was seen first."""
    since = monotonic() - LOOK_AGAIN_SECONDS
    for task_id in [task_id for task_id, end in run.journal.ends.items() if end.at > since]:
        if not run.journal.look(run.stack.api, task_id):
            run.journal.changed.append(task_id)


def _left(run: Run) -> tuple[str, ...]:
    """Return what is still there of finished work, after time enough to tidy up."""
    deadline = monotonic() + TIDY_SECONDS
    while left := (*_messages_left(run), *run.stack.service.left(run.stack)):
        if monotonic() > deadline:
            return left
        sleep(0.2)
    return ()


def _messages_left(run: Run) -> list[str]:
    queues = run.stack.service.queues
    with run.stack.redis() as client:
        unacknowledged = max(client.hlen("unacked"), client.zcard("unacked_index"))
        counts = {
            **{f"queue {queue}": _waiting(run, client, queue) for queue in queues},
            "unacked": max(0, unacknowledged - run.faults.unacknowledged),
        }
    return [f"left: {count} in {name}" for name, count in counts.items() if count]


def _waiting(run: Run, client: Any, queue: str) -> int:
    """Return how many messages wait in a queue."""
    broker = run.stack.rabbitmq
    return int(client.llen(queue)) + (broker.messages(queue) if broker else 0)
