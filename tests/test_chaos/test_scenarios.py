"""The short selection of the fault harness on the real service, and a control that must fail."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from chaos import __main__ as command
from chaos import controls
from chaos.controls import CONTROLS
from chaos.experiment import row_of
from chaos.run import BROKERS, Scenario
from chaos.scenarios import SCENARIOS, over
from chaos.service import OURS
from tests import brokers
from tests.conftest import ROOT

pytestmark = pytest.mark.end_to_end

QUICK = [scenario for scenario in SCENARIOS.values() if scenario.quick]
SEED = 10


@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept(scenario: Scenario) -> None:
    """Nothing is lost, doubled beyond its excuse, mixed up, held against a picture, or left."""
    assert row_of(scenario, seed=SEED).broken == ()


def test_every_promise_is_kept_over_rabbitmq() -> None:
    """RabbitMQ itself is killed, so `/readyz` would not speak of it if messages went elsewhere."""
    brokers.program("rabbitmq-server", package="rabbitmq-server")
    service = replace(OURS, has_rabbitmq=True)

    assert row_of(SCENARIOS["rabbitmq-killed"], seed=SEED, service=service).broken == ()


def test_a_broker_has_scenarios_of_its_own() -> None:
    """What is done to Redis as broker alone says nothing of another one, and the other way."""
    by_redis, by_rabbitmq = ({each.name for each in over(broker)} for broker in BROKERS)

    assert {"rabbitmq-killed"} == by_rabbitmq - by_redis
    assert {"kill-children", "kill-main", "redis-killed"} <= by_rabbitmq
    assert not {"redis-full", "stranded", "frozen-handover"} & by_rabbitmq


def test_a_control_fails_and_its_pair_does_not() -> None:
    """A message in the hands of a killed worker is lost without a reconciler, and that is seen."""
    assert controls.judged(CONTROLS[0], seed=SEED).doubts == ()


def test_an_interrupt_leaves_nothing_running(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a fault ends every part, also frozen ones."""
    words = [sys.executable, "-m", "chaos", "redis-frozen"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    # A shell ignores it for what it starts in the background, such as these tests.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    options = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": heard}
    with subprocess.Popen(words, cwd=ROOT, env=environment, **options) as harness:
        assert harness.stderr is not None
        while "fault" not in harness.stderr.readline():
            assert harness.poll() is None
        parts = psutil.Process(harness.pid).children(recursive=True)
        harness.send_signal(signal.SIGINT)
        status = harness.wait(timeout=60)
    running = [part for part in parts if part.is_running()]

    assert (status, running) == (command.INTERRUPTED, [])
    assert len(parts) > len(("redis", "worker", "downloader", "api"))


def test_every_scenario_says_what_it_does() -> None:
    """The table explains itself: each title is one sentence."""
    titles = [scenario.title for scenario in SCENARIOS.values()]

    assert [title for title in titles if not title.endswith(".")] == []
