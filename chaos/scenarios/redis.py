"""Faults of brokers and of the way to them: full, frozen, killed, read-only, cut off."""

from chaos.layout import Layout
from chaos.rabbitmq import BROKER
from chaos.run import BROKERS, RABBITMQ, Run, Scenario

FULL_SECONDS = 7.0
CUT_SECONDS = 15.0
START_SECONDS = 60.0
STILL_SECONDS = 12.0
"""Three looks, two seconds apart, at a worker that stands still; then it connects anew."""
IN_HAND = 8
"""Pictures sent at once, so that every child holds one when the fault comes."""
DISK = Layout(disk_mib=24)


def _full(run: Run) -> None:
    """Redis is at its memory limit for 12 s while children hold pictures."""
    with run.load(), run.fault():
        run.burst(IN_HAND)
        with run.faults.redis_full():
            run.calm(12.0)


def _disk_full(run: Run) -> None:
    """The disk of the append-only file is full for 10 s."""
    with run.load(), run.fault():
        run.burst(IN_HAND)
        with run.faults.disk_full():
            run.calm(10.0)


def _stalled(run: Run) -> None:
    """Redis stands still for 1.5 s, three times."""
    with run.load(), run.fault():
        for _ in range(3):
            with run.faults.frozen("redis"):
                run.calm(1.5)
            run.calm(1.0)


def _frozen(run: Run) -> None:
    """Redis stands still for 10 s while children hold pictures."""
    with run.load(), run.fault():
        run.burst(IN_HAND)
        with run.faults.frozen("redis"):
            run.calm(10.0)


def _frozen_and_killed(run: Run) -> None:
    """Redis stands still for 25 s, is killed, and starts again from its file."""
    with run.load(per_second=4), run.fault():
        run.burst(IN_HAND)
        run.faults.wait_for_disk()
        with run.faults.frozen("redis"):
            run.calm(25.0)
            run.faults.kill("redis")


def _killed(run: Run) -> None:
    """Redis is killed under load and starts again from its append-only file."""
    with run.load(), run.fault():
        run.burst(IN_HAND)
        run.faults.kill_redis()
    run.calm(3.0)


def _rabbitmq_killed(run: Run) -> None:
    """RabbitMQ is killed under load and starts again with what it has on disk."""
    with run.load(), run.fault():
        run.burst(IN_HAND)
        run.faults.kill(BROKER, with_children=True)
        run.expect_unready()
        run.expect(run.waits_for(run.stack.is_whole, seconds=START_SECONDS), "it is ready again")
    run.calm(3.0)


def _read_only(run: Run) -> None:
    """Redis refuses writes for 12 s, as a replica after a failover does."""
    with run.load(), run.fault(), run.faults.redis_read_only():
        run.expect_unready()
        run.calm(6.0)


def _no_rights(run: Run) -> None:
    """The Redis user may not use any channel for 12 s, so a worker cannot subscribe."""
    rights = run.faults.redis_without_rights("resetchannels", again="allchannels")
    with run.load(), run.fault(), rights:
        # Connections that were subscribed before go on; new ones are refused.
        run.faults.kill("worker")
        run.expect_unready()
        run.calm(8.0)


def _cut(run: Run) -> None:
    """The wire between the worker and Redis is cut for 40 s; no connection closes."""
    with run.load(per_second=4), run.fault(), run.faults.cut_off():
        run.calm(40.0)


def _stranded(run: Run) -> None:
    """The connection on which the worker waits stays with a server that a failover left behind."""
    with run.load(per_second=4):
        with run.fault():
            run.faults.strand()
        run.expect_unready()
        run.calm(4.0)


SCENARIOS = (
    Scenario("redis-full", _full, recovers_within=FULL_SECONDS, comparable=True),
    Scenario("disk-full", _disk_full, DISK, recovers_within=FULL_SECONDS, comparable=True),
    Scenario("redis-stalls", _stalled, quick=True, comparable=True),
    Scenario("redis-frozen", _frozen, comparable=True),
    Scenario("redis-frozen-killed", _frozen_and_killed, comparable=True),
    Scenario("redis-killed", _killed, quick=True, comparable=True, brokers=BROKERS),
    Scenario("rabbitmq-killed", _rabbitmq_killed, brokers=(RABBITMQ,)),
    Scenario("redis-read-only", _read_only, comparable=True),
    Scenario("redis-rights", _no_rights),
    Scenario("stranded", _stranded, Layout(wired=True), recovers_within=STILL_SECONDS),
    Scenario("cut", _cut, Layout(wired=True), recovers_within=CUT_SECONDS, comparable=True),
)
