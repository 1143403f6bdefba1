"""What is counted: acceptance and withdrawal by the store, times and labels by each process."""

import pytest
import redis

from tasks import statistics, stores, sums
from tasks.documents import ClassifiedTask, Timings
from tasks.job_stores import SUCCESS, JobStore
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tasks.statistics import Tally
from tests.conftest import free_port
from tests.test_end_to_end.conftest import wait_until
from tests.test_tasks.test_admission import bounded, new_job
from tests.test_tasks.test_job_stores import outcome, store  # noqa: F401 - the fixture

VERSION = "m@1"


def labels(**amounts: int) -> Tally:
    """Return a tally of labels of one version."""
    return Tally({}, {(VERSION, label): n for label, n in amounts.items()})


def test_an_acceptance_is_counted_with_itself(store: JobStore) -> None:  # noqa: F811
    """By version and entry; what is taken back counts as such, and once."""
    store.create(new_job("a", version=VERSION))
    store.create(new_job("b", version=VERSION, lane="downloads"))
    store.create(new_job("c"))
    for _ in range(2):
        store.discard("c")
    counts = store.counts()

    assert statistics.accepted(counts) == {
        (VERSION, "upload"): 1.0,
        (VERSION, "address"): 1.0,
        ("unknown", "upload"): 1.0,
    }
    assert counts[statistics.WITHDRAWN] == 1.0


def test_what_is_accepted_ended_or_is_open(store: JobStore) -> None:  # noqa: F811
    """Nothing is counted twice, whatever is said twice of it."""
    for n in range(5):
        store.create(new_job(str(n)))
    for _ in range(2):
        store.finish("1", outcome(SUCCESS, **statistics.of_end(SUCCESS, model=VERSION)))
        store.discard("2")
    counts = store.counts()
    ended = sum(statistics.totals(counts).ended.values())
    taken_back = counts[statistics.WITHDRAWN]

    accepted = sum(statistics.accepted(counts).values())
    assert accepted == ended + taken_back + store.load().open_jobs == 5


def test_labels_of_a_version_are_bounded(store: JobStore) -> None:  # noqa: F811
    """The first ones have a count of their own and keep it; nothing is lost, none goes down."""
    few = bounded(store, metrics_labels=2)
    few.tally(labels(rose=3, tulip=1))
    few.tally(labels(daisy=2, rose=1))
    few.tally(labels(**{f"invented-{n}": 1 for n in range(500)}))

    assert statistics.labels(few.counts()) == {
        (VERSION, "rose"): 4.0,
        (VERSION, "tulip"): 1.0,
        (VERSION, "other"): 502.0,
    }


def test_labels_can_be_switched_off(store: JobStore) -> None:  # noqa: F811
    """All are one then."""
    none = bounded(store, metrics_labels=0)
    none.tally(labels(rose=3, tulip=1))

    assert statistics.labels(none.counts()) == {(VERSION, "other"): 4.0}


def test_a_label_may_have_any_letters(store: JobStore) -> None:  # noqa: F811
    """Those that part the names of counts too."""
    store.tally(labels(**{"a|b": 1, 'c"\n': 2}))

    assert statistics.labels(store.counts()) == {(VERSION, "a|b"): 1.0, (VERSION, 'c"\n'): 2.0}


def test_times_are_whole_microseconds_in_buckets(store: JobStore) -> None:  # noqa: F811
    """Each stage of each version; from a millisecond to minutes."""
    times = Timings(queued=0.4, download=0.0, decode=12.3, predict=9.99, total=400_000.0)
    document = ClassifiedTask("id", "SUCCESS", "m", 1, "openvino", "f", (), times)
    store.tally(statistics.details_of(document))
    stages = statistics.totals(store.counts()).stages

    assert {stage: s.buckets for (_, stage), s in stages.items()} == {
        "queued": {"0.001": 1.0},
        "download": {"0.001": 1.0},
        "decode": {"0.025": 1.0},
        "predict": {"0.01": 1.0},
        "total": {"+Inf": 1.0},
    }
    assert stages[VERSION, "decode"].sum_seconds == pytest.approx(0.0123)


def test_sums_of_a_process_reach_the_store(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By themselves within seconds, and with one script however many pictures they are of."""
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        client.config_resetstat()
        counted = {(VERSION, "rose"): 1000.0}
        for _ in range(100):
            sums.of_this_process().add(labels(rose=10))
        wait_until(lambda: statistics.labels(stores.job_store().counts()) == counted)
        calls = client.info("commandstats")["cmdstat_hincrby"]["calls"]

    assert calls < 20


def test_what_the_store_does_not_take_is_said_and_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not given twice: a server that went away may have added it."""
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", f"redis://127.0.0.1:{free_port()}/0")
    ours = sums.Sums()
    ours.add(labels(rose=1))
    ours.give()
    ours.give()

    assert caplog.text.count("times and labels not counted") == 1


def test_a_thousand_answers_cost_the_store_what_their_ends_cost(redis_url: str) -> None:
    """An end adds one count, and none of them is a broken number."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        one = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
        client.config_resetstat()
        for n in range(100):
            one.create(new_job(str(n), version=VERSION))
            one.finish(str(n), outcome(SUCCESS, **statistics.of_end(SUCCESS, model=VERSION)))
        stats = client.info("commandstats")

    assert "cmdstat_hincrbyfloat" not in stats
    # Acceptance and end, and the bytes that are open, up and down.
    assert stats["cmdstat_hincrby"]["calls"] == 400
