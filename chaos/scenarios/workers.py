"""Faults of the workers: killed, frozen, rolled, poisoned."""

import signal
from time import monotonic

from chaos.layout import CACHE, Layout
from chaos.pictures import Harm
from chaos.run import BROKERS, Run, Scenario, say
from tasks import statistics
from tasks.job_stores.redis_upkeep import COUNTS

WORKER_SECONDS = 12.0
"""Seven seconds, and five in which the only worker is started again."""

TAKE_OVER_SECONDS = 22.0
"""A readiness of 15 s runs out, and then a lost worker's seven."""

IN_HAND = 16
"""Pictures sent at once, so that every child holds one when the fault comes."""

BUSY = Layout(work_seconds=0.2)
"""The last of them is in no child yet when all were sent."""

CACHED = Layout(work_seconds=0.2, environment={CACHE: "600"})
COPIES = 4

ENDED = "a picture ended the worker's main process"
SHORT_LIMITS = ("task.soft_time_limit=3", "task.time_limit=4")
CHILD_SECONDS = 7.0
"""Five seconds and the time to load a model."""


def _kill_children(run: Run) -> None:
    """A random child is killed every 2 s, five times, under load."""
    with run.load(per_second=20), run.fault():
        for _ in range(5):
            run.faults.kill_child()
            run.calm(2.0)


def _kill_main(run: Run) -> None:
    """The main process of the worker is killed with pictures in hand, twice."""
    with run.load(), run.fault():
        run.burst(IN_HAND)
        run.faults.kill("worker")
        run.calm(6.0)
        run.burst(IN_HAND)
        run.faults.kill("worker")


def _lose_host(run: Run) -> None:
    """Every process of the worker is killed at once with pictures in hand, as if with its host."""
    with run.load(per_second=4), run.fault():
        run.burst(IN_HAND)
        run.faults.kill("worker", with_children=True)


def _same_pictures(run: Run) -> None:
    """Each picture is sent four times with the cache on, while children, then Redis, are killed."""
    run.repeat(COPIES)
    with run.load(per_second=20), run.fault():
        for _ in range(3):
            run.burst(IN_HAND)
            run.faults.kill_child()
            run.calm(2.0)
        run.burst(IN_HAND)
        run.faults.kill_redis()
        run.calm()
    run.expect(_followed(run) > 0, "no picture was answered by what another one was predicted")


def _followed(run: Run) -> float:
    """Return how many pictures were."""
    with run.stack.redis() as client:
        counts = client.hgetall(COUNTS).items()
    followers = statistics.of_cache(statistics.FOLLOWER)
    return sum(float(n) for name, n in counts if name.startswith(followers))


def _frozen_handover(run: Run) -> None:
    """An idle worker freezes, Redis hands it a picture, and it is killed."""
    with run.fault(), run.faults.frozen("worker"):
        for _ in range(4):
            run.send()
        run.calm(1.0)
        run.faults.kill("worker")
    run.calm()


def _freeze_worker(run: Run) -> None:
    """One of two workers freezes for 22 s with pictures in hand, then wakes up and goes on."""
    why = f"pictures of a worker that is frozen for {TAKE_OVER_SECONDS:g} s are not taken over"
    with run.load(), run.fault():
        run.burst(IN_HAND)
        with run.faults.frozen("worker", with_children=True):
            run.calm(TAKE_OVER_SECONDS)
            run.expect_answered(accepted_before=monotonic() - TAKE_OVER_SECONDS + 1, why=why)


def _roll(run: Run) -> None:
    """API and worker are restarted in turn under load, three times."""
    with run.load(), run.fault():
        for _ in range(3):
            run.faults.end("api", signal.SIGHUP)
            run.calm(1.5)
            run.faults.end("worker")
            run.calm(3.0)


def _poison(run: Run) -> None:
    """Pictures among others crash every child that takes them."""
    with run.load(), run.fault():
        for _ in range(2):
            run.send(Harm.SEGFAULT)
        run.calm(8.0)
    _expect_no_restart(run)


def _memory(run: Run) -> None:
    """Pictures among others make their task raise MemoryError."""
    with run.load(), run.fault():
        for _ in range(5):
            run.send(Harm.MEMORY)
        run.calm(4.0)
    _expect_no_restart(run)


def _endless(run: Run) -> None:
    """Pictures among others never end and hear no signal; the hard time limit is 4 s."""
    with run.load(), run.fault():
        for _ in range(2):
            run.send(Harm.ENDLESS)
        run.calm(12.0)
    _expect_no_restart(run)


def _expect_no_restart(run: Run) -> None:
    restarts = run.stack.supervisor.restarts()["worker"]
    run.expect(not restarts, f"{ENDED} ({restarts} restarts)")


def _other_pool(run: Run) -> None:
    """The worker is started with a pool of threads: it classifies, or says why it will not."""
    ready = run.waits_for(run.stack.is_whole, seconds=10.0)
    run.serves = not run.stack.supervisor.restarts()["worker"]
    if not run.serves:
        last_line = run.stack.supervisor.last_line("worker")
        say(f"the worker's last line: {last_line}")
        run.expect("pool" in last_line, "a pool that is refused is refused with a sentence")
        return
    run.expect(ready, "`/readyz` says ready when a worker with this pool classifies")
    with run.load(per_second=20):
        run.calm(6.0)


SCENARIOS = (
    Scenario(
        "kill-children",
        _kill_children,
        recovers_within=CHILD_SECONDS,
        comparable=True,
        brokers=BROKERS,
    ),
    Scenario(
        "kill-main", _kill_main, recovers_within=WORKER_SECONDS, comparable=True, brokers=BROKERS
    ),
    Scenario("lose-host", _lose_host, BUSY, recovers_within=WORKER_SECONDS, brokers=BROKERS),
    Scenario("same-pictures", _same_pictures, CACHED, recovers_within=CHILD_SECONDS),
    Scenario("frozen-handover", _frozen_handover, recovers_within=WORKER_SECONDS, comparable=True),
    Scenario(
        "freeze-worker",
        _freeze_worker,
        Layout(workers=2),
        recovers_within=WORKER_SECONDS,
        comparable=True,
    ),
    Scenario("roll", _roll),
    Scenario("poison", _poison, answers_within=45.0, comparable=True),
    Scenario("memory-error", _memory, quick=True, comparable=True),
    Scenario("endless", _endless, Layout(worker_options=SHORT_LIMITS), comparable=True),
    Scenario(
        "other-pool",
        _other_pool,
        Layout(worker_words=("--pool", "threads"), waits_until_ready=False),
    ),
)
