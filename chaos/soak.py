"""Faults at random for as long as is wanted, and what memory and descriptors do meanwhile."""

import signal
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import psutil

from chaos.layout import Layout
from chaos.pictures import Harm
from chaos.run import Run, Scenario, say
from chaos.stack import MIB, Stack
from petiole import probes
from petiole.supervisor import LONGEST_PAUSE_SECONDS

PER_SECOND = 5.0
PAUSE_SECONDS = (4.0, 12.0)
SHARE_COMPARED = 4
BACK_SECONDS = LONGEST_PAUSE_SECONDS + 10.0
MAY_GROW = {"memory MiB": 1.15, "descriptors": 1.15, "Redis clients": 1.3, "Redis keys": 1.3}
RESULT_SECONDS, TOMBSTONE_SECONDS = 150, 30
SETTLED_SECONDS = RESULT_SECONDS + TOMBSTONE_SECONDS
"""Until the first results expire there are more keys from minute to minute, and rightly so."""
LAYOUT = Layout(
    workers=2,
    environment={
        # Else the keys of an hour's results would hide those that nobody deletes.
        "PETIOLE_TASKS_RESULT_TTL_SECONDS": str(RESULT_SECONDS),
        "PETIOLE_TASKS_TOMBSTONE_TTL_SECONDS": str(TOMBSTONE_SECONDS),
    },
)


@dataclass(frozen=True)
class Sample:
    """What the whole service holds at one moment, by name."""

    held: dict[str, float]


def scenario(minutes: float) -> Scenario:
    """Return a scenario that hurts the service at random for so long."""

    def act(run: Run) -> None:
        _soak(run, seconds=minutes * 60)

    act.__doc__ = f"Faults at random for {minutes:g} minutes, under load."
    return Scenario("soak", act, LAYOUT, answers_within=60.0, recovers_within=60.0)


def _soak(run: Run, *, seconds: float) -> None:
    samples: list[Sample] = []
    begun = monotonic()
    deadline = begun + seconds
    with run.load(per_second=PER_SECOND), run.fault():
        while monotonic() < deadline:
            fault = FAULTS[int(run.rng.integers(len(FAULTS)))]
            say(f"{deadline - monotonic():.0f} s left: {fault.__name__.strip('_')}")
            _hurt(run, fault)
            run.calm(float(run.rng.uniform(*PAUSE_SECONDS)))
            if monotonic() > begun + SETTLED_SECONDS:
                samples.append(sample(run.stack))
    for line in growth(samples):
        run.expect(False, line)


def _hurt(run: Run, fault: Callable[[Run], None]) -> None:
    try:
        fault(run)
    except psutil.NoSuchProcess as exc:
        # Chance names a part that is just being started again, and there is nothing to hurt.
        say(f"not there: {exc}")


def growth(samples: list[Sample]) -> list[str]:
    """Return what the last samples hold more of than the first ones, beyond what is allowed."""
    if len(samples) < SHARE_COMPARED:
        say(f"growth is not judged: {len(samples)} samples after {SETTLED_SECONDS} s")
        return []
    size = len(samples) // SHARE_COMPARED
    lines = []
    for name, factor in MAY_GROW.items():
        first, last = (
            statistics.median(each.held[name] for each in part)
            for part in (samples[:size], samples[-size:])
        )
        say(f"{name}: {first:.0f} in the beginning, {last:.0f} in the end")
        if last > first * factor:
            lines.append(f"{name} grew from {first:.0f} to {last:.0f}")
    return lines


def sample(stack: Stack) -> Sample:
    """Return what the service holds now."""
    memory = descriptors = 0.0
    for process in stack.processes():
        try:
            memory += process.memory_full_info().pss / MIB
            descriptors += process.num_fds()
        except psutil.Error:
            # It ended while it was looked at.
            continue
    with stack.redis() as client:
        clients, keys = client.info("clients")["connected_clients"], client.dbsize()
    held = {"memory MiB": memory, "descriptors": descriptors}
    return Sample(held | {"Redis clients": float(clients), "Redis keys": float(keys)})


def _child_killed(run: Run) -> None:
    run.faults.kill_child()


def _worker_killed(run: Run) -> None:
    run.faults.kill("worker-2")


def _worker_frozen(run: Run) -> None:
    with run.faults.frozen("worker", with_children=True):
        run.calm(5.0)


def _redis_stalled(run: Run) -> None:
    with run.faults.frozen("redis"):
        run.calm(1.5)


def _redis_killed(run: Run) -> None:
    run.faults.kill_redis()
    # One that was killed several times within a minute is started again after a longer pause.
    back = run.waits_for(
        lambda: not probes.no_redis_at(run.stack.redis_url()), seconds=BACK_SECONDS
    )
    run.expect(back, f"Redis is started again within {BACK_SECONDS:g} s")


def _redis_full(run: Run) -> None:
    with run.faults.redis_full():
        run.calm(5.0)


def _api_reloaded(run: Run) -> None:
    run.faults.end("api", signal.SIGHUP)


def _worker_rolled(run: Run) -> None:
    run.faults.end("worker")


def _poisoned(run: Run) -> None:
    run.send(Harm.SEGFAULT)


FAULTS: tuple[Callable[[Run], None], ...] = (
    _child_killed,
    _worker_killed,
    _worker_frozen,
    _redis_stalled,
    _redis_killed,
    _redis_full,
    _api_reloaded,
    _worker_rolled,
    _poisoned,
)
