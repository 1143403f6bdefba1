"""The scale simulation against queueing theory, against itself, and against the manifests."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
import yaml

from benchmarks import queueing, scaling
from benchmarks.autoscaler import Autoscaler, Rules
from benchmarks.simulation import Workers, day, exact, in_ticks
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "operations.md"
ALWAYS_READY = Workers(children=1, service_seconds=1.0, start_seconds=0.0)


def told(rules: Rules, open_jobs: Sequence[float], *, pods: int = 0) -> list[int]:
    """Return how many pods there should be, second by second."""
    scaler = Autoscaler(rules, pods)
    return [scaler.look(float(now), jobs) for now, jobs in enumerate(open_jobs)]


@pytest.mark.parametrize(
    ("servers", "offered", "waits"), [(1, 0.7, 0.7), (2, 1.0, 1 / 3), (10, 8.0, 0.4092)]
)
def test_the_share_that_waits_is_erlangs(servers: int, offered: float, waits: float) -> None:
    """One server: the load; two: 2a²/(2 - a)/(2 + 2a + 2a²/(2 - a)); ten: of printed tables."""
    assert queueing.erlang_c(servers, offered) == pytest.approx(waits, abs=1e-4)


@pytest.mark.parametrize(("pods", "load"), [(1, 0.7), (4, 0.8), (20, 0.9), (100, 0.95)])
def test_the_simulation_agrees_with_queueing_theory(pods: int, load: float) -> None:
    """Mean and 95th percentile of the wait, for Poisson arrivals and exponential service."""
    rng, count = np.random.default_rng(7), 200_000
    per_second = pods * load
    arrivals = np.cumsum(rng.exponential(1 / per_second, count))
    found = exact(arrivals, rng.exponential(1.0, count), ALWAYS_READY, pods=pods)

    mean = queueing.mean_wait_seconds(pods, per_second, 1.0)
    most = queueing.wait_quantile_seconds(pods, per_second, 1.0)
    # Waits of neighbours are alike, so 200,000 pictures are worth some thousand: a tenth.
    assert found.mean_wait_seconds == pytest.approx(mean, rel=0.1)
    assert found.wait_quantile_seconds() == pytest.approx(most, rel=0.1)


def test_ticks_agree_with_following_each_picture() -> None:
    """Under the same autoscaler, from no pod through an hour that rises and falls, with a burst.

    How far a burst overshoots depends on how much waits at the very second of a decision.
    """
    rng, pod = np.random.default_rng(3), Workers(2, 0.5, 20.0)
    mean = 40 * (1 - np.cos(2 * np.pi * np.arange(3600) / 3600))
    mean[1200:1230] *= 2
    counts = rng.poisson(mean)
    arrivals = np.sort(np.repeat(np.arange(3600), counts) + rng.random(counts.sum()))
    one = exact(arrivals, np.full(len(arrivals), 0.5), pod, Autoscaler(Rules()))
    other = in_ticks(counts, pod, Autoscaler(Rules()), rng)
    seconds = len(one.pods)

    assert other.pods[:seconds].mean() == pytest.approx(one.pods.mean(), rel=0.15)
    assert other.pods.max() == pytest.approx(one.pods.max(), rel=0.35)
    assert other.waits.max() == pytest.approx(one.waits.max(), abs=2.0)


def test_the_first_job_brings_the_first_pod_and_a_quiet_time_takes_the_last() -> None:
    """KEDA looks every five seconds, and waits for the cooldown."""
    pods = told(Rules(), [0] * 3 + [1] * 10 + [0] * 400)

    assert pods[:6] == [0, 0, 0, 0, 0, 1]
    assert pods[300] == 1
    assert pods[-1] == 0


def test_pods_double_or_grow_by_four_until_there_are_enough() -> None:
    """Every fifteen seconds, up to what the open work asks for or the most that there may be."""
    pods = told(Rules(target=1, most=60), [100] * 90)

    assert pods[0:90:15] == [5, 10, 20, 40, 60, 60]


def test_a_small_difference_changes_nothing() -> None:
    """The autoscaler's tolerance is a tenth."""
    assert told(Rules(target=1), [109], pods=100) == [100]
    assert told(Rules(target=1), [112], pods=100) == [112]


def test_fewer_pods_are_what_five_minutes_asked_for_at_most() -> None:
    """A dip stops no worker."""
    pods = told(Rules(target=1), [100] * 60 + [10] * 400, pods=100)

    assert pods[60 + 280] == 100
    assert pods[60 + 320] == 10


def test_the_rules_are_those_of_the_manifest() -> None:
    """What is simulated is what is shipped, but for how many there may be."""
    text = (ROOT / "deploy" / "kubernetes" / "keda" / "scaled.yaml").read_text()
    (spec,) = [
        each["spec"]
        for each in yaml.safe_load_all(text)
        if each["kind"] == "ScaledObject" and each["metadata"]["name"] == "worker"
    ]
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    percent, step = behaviour["scaleUp"]["policies"]

    assert Rules() == Rules(
        target=float(spec["triggers"][0]["metadata"]["targetValue"]),
        fewest=spec["minReplicaCount"],
        poll_seconds=spec["pollingInterval"],
        cooldown_seconds=spec["cooldownPeriod"],
        sync_seconds=percent["periodSeconds"],
        factor=1 + percent["value"] / 100,
        step=step["value"],
        stabilization_seconds=behaviour["scaleDown"]["stabilizationWindowSeconds"],
    )


def test_a_day_has_its_peak_and_its_night() -> None:
    """A tenth at four in the morning, all of it at four in the afternoon."""
    counts = day(1000, np.random.default_rng(0), bursts=0)

    assert counts[4 * 3600 :][:600].mean() == pytest.approx(100, rel=0.05)
    assert counts[16 * 3600 :][:600].mean() == pytest.approx(1000, rel=0.05)


def test_the_table_is_what_the_command_prints() -> None:
    """With the figures that stand above it, for the same seed."""
    text = PAGE.read_text()
    numbers = re.search(
        r"a pod does ([\d.]+) .* starts in ([\d.]+) s;\nRedis takes ([\d.]+) ms and ([\d.]+)", text
    )
    assert numbers
    figures = scaling.Figures(*map(float, numbers.groups()), source="docs/performance.md")

    assert scaling.markdown(figures) in text


def test_the_figures_are_found_in_the_document() -> None:
    """Each in its table, and none is nothing."""
    found = scaling.documented((ROOT / "docs" / "performance.md").read_text())

    assert min(found.per_second, found.start_seconds, found.redis_ms, found.commands) > 0
    assert found.redis_ms < 1000 / found.per_second
