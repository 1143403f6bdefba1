"""What `/metrics` says of the whole service, as the job store and the broker have it.

Every API process of every host says the same of it: whoever reads several takes the largest, not
the sum. What a process says of its own requests is in `metrics`.
"""

import platform
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tasks import lanes, publisher, readiness, redis_checks, statistics, stores
from tasks.job_stores import Load, Work
from tasks.readiness import CONSUMER, Note
from tasks.settings import settings
from tasks.statistics import Totals

Values = TypeVar("Values", bound=tuple[str, ...])


class ServiceCollector(Collector):
    """Jobs, queues and children."""

    def collect(self) -> Iterator[Metric]:
        """Yield the series; an unreachable store ends the scrape with 503."""
        store = stores.prompt_job_store()
        counts = store.counts()
        totals = statistics.totals(counts)
        yield from _jobs(counts, totals)
        yield _stages(totals)
        yield from _answers(counts)
        yield from _losses(counts)
        yield _trials(counts)
        yield from _work(store.work())
        yield from _admitted(store.load())
        yield from _webhooks(counts)
        yield from _cache(counts)
        yield from _workers(readiness.notes(store))
        yield from _parts()


def _counter(
    name: str, description: str, labels: tuple[str, ...], amounts: Mapping[Values, float]
) -> Metric:
    return _filled(CounterMetricFamily(name, description, labels=labels), amounts)


def _gauge(
    name: str, description: str, labels: tuple[str, ...], values: Mapping[Values, float]
) -> Metric:
    return _filled(GaugeMetricFamily(name, description, labels=labels), values)


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, amounts: Mapping[Values, float]
) -> Metric:
    for values, amount in amounts.items():
        family.add_metric(values, amount)
    return family


def _each(amounts: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    """Return the same by one label."""
    return {(name,): amount for name, amount in amounts.items()}


def _one(amount: float) -> dict[tuple[str, ...], float]:
    """Return the same for a series without labels."""
    return {(): amount}


def _jobs(counts: Mapping[str, float], totals: Totals) -> Iterator[Metric]:
    """Yield what came in and went out; both are counted with the step itself."""
    accepted = statistics.accepted(counts)
    yield _counter("petiole_accepted", "Accepted pictures.", ("model", "entry"), accepted)
    by = ("state", "model", "error")
    yield _counter("petiole_jobs", "Jobs that ended.", by, totals.ended)


def _stages(totals: Totals) -> Metric:
    family = HistogramMetricFamily(
        "petiole_stage_seconds",
        "Time of a predicted picture in each stage.",
        labels=["model", "stage"],
    )
    for (model, stage), histogram in totals.stages.items():
        family.add_metric([model, stage], _cumulated(histogram), histogram.sum_seconds)
    return family


def _cumulated(histogram: statistics.StageHistogram) -> list[tuple[str, float]]:
    """Return Prometheus' buckets: each counts all times up to its limit."""
    limits = [*map(str, statistics.BUCKETS_SECONDS), statistics.INFINITE]
    rows, below = [], 0.0
    for limit in limits:
        below += histogram.buckets.get(limit, 0.0)
        rows.append((limit, below))
    return rows


def _answers(counts: Mapping[str, float]) -> Iterator[Metric]:
    labels, verdicts = statistics.labels(counts), statistics.verdicts(counts)
    yield _counter(
        "petiole_labels", "Predicted pictures by their best label.", ("model", "label"), labels
    )
    yield _counter(
        "petiole_verdicts", "Predicted pictures by verdict.", ("model", "verdict"), verdicts
    )


def _losses(counts: Mapping[str, float]) -> Iterator[Metric]:
    for name, description in (
        (statistics.RESENT, "Jobs whose message was sent again."),
        (statistics.QUARANTINED, "Jobs whose picture went into quarantine."),
        (statistics.WITHDRAWN, "Accepted jobs that were taken back, or whose record expired."),
    ):
        yield _counter(f"petiole_{name}", description, (), _one(counts.get(name, 0.0)))
    yield _counter(
        "petiole_refused_messages",
        "Messages in a queue that no worker can do: unreadable, content, malformed, unknown task.",
        ("reason",),
        _each(statistics.refused(counts)),
    )
    kept = len(stores.quarantine().all())
    yield _gauge("petiole_quarantine_jobs", "Jobs in quarantine.", (), _one(kept))


def _trials(counts: Mapping[str, float]) -> Metric:
    return _counter(
        "petiole_trial",
        "Sums of each trial: compared, agreed, errors, unserved, and seconds of predict.",
        ("model", "number", "kind", "version", "measure"),
        {tuple(named): amount for named, amount in statistics.trials(counts)},
    )


def _work(work: Mapping[str, Work]) -> Iterator[Metric]:
    """Yield what there is to do; waiting and running come from one look, so they add up."""
    waiting = {(q, p): n for q, each in work.items() for p, n in each.waiting.items()}
    yield _gauge("petiole_waiting_jobs", "Jobs that wait.", ("queue", "priority"), waiting)
    for name, description, values in (
        ("running_jobs", "Jobs that a worker has begun.", {q: w.running for q, w in work.items()}),
        (
            "open_jobs",
            "Jobs that wait or are worked on.",
            {q: w.open_jobs for q, w in work.items()},
        ),
        (
            "oldest_job_seconds",
            "How long the oldest waiting job waits.",
            {q: w.oldest_seconds for q, w in work.items()},
        ),
    ):
        yield _gauge(f"petiole_{name}", description, ("queue",), _each(values))
    lengths = _each(publisher.queue_lengths())
    yield _gauge("celery_queue_length", "Messages in each queue.", ("queue_name",), lengths)


def _admitted(load: Load) -> Iterator[Metric]:
    """Yield what admission looks at: single pictures, of any queue."""
    limits = settings()
    for name, description, value in (
        ("pictures", "Pictures that were accepted and are not over.", load.open_jobs),
        ("pictures_limit", "How many of them may be open.", limits.max_open_jobs),
        ("bytes", "Bytes of these pictures together.", load.open_bytes),
        ("bytes_limit", "How many bytes they may have.", limits.max_open_bytes),
    ):
        yield _gauge(f"petiole_open_{name}", description, (), _one(value))


def _webhooks(counts: Mapping[str, float]) -> Iterator[Metric]:
    load = stores.webhooks().load()
    kept = _each({"due": load.due, "given up": load.dead})
    yield _gauge("petiole_webhooks", "Webhooks that are kept.", ("state",), kept)
    tries = _each(statistics.webhook_tries(counts))
    yield _counter("petiole_webhook_tries", "Tries to deliver a webhook.", ("outcome",), tries)


def _cache(counts: Mapping[str, float]) -> Iterator[Metric]:
    yield _counter(
        "petiole_cache",
        "Pictures whose answer might have been known: hit, miss, and of the latter follower.",
        ("outcome",),
        _each(statistics.cache(counts)),
    )
    n, size = stores.prompt_job_store().kept_answers()
    yield _gauge("petiole_cache_answers", "Answers that are kept.", (), _one(n))
    yield _gauge("petiole_cache_bytes", "Bytes of these answers, about.", (), _one(size))


def _workers(notes: Iterable[Note]) -> Iterator[Metric]:
    """Yield what worker processes say of themselves; a queue that nobody serves has zeros."""
    children, consumers = _no_workers(), _no_workers()
    loaded, refusing = Counter[str](), Counter[str]()
    for note in notes:
        if note.queue == CONSUMER:
            consumers.update((queue, note.state) for queue in note.consumes or ())
        else:
            children[note.queue, note.state] += 1
        loaded.update(model.partition(" on ")[0] for model in note.models or ())
        refusing.update((note.refused or {}).keys())
    by_queue = ("queue", "state")
    yield _gauge("petiole_children", "Processes that do the work of a queue.", by_queue, children)
    yield _gauge(
        "petiole_consumers", "Workers that take a queue's messages, or should.", by_queue, consumers
    )
    yield _gauge(
        "petiole_loaded_children", "Children with a version in memory.", ("model",), _each(loaded)
    )
    yield _gauge(
        "petiole_refusing_children",
        "Children that do not serve a version that should answer.",
        ("model",),
        _each(refusing),
    )


def _no_workers() -> Counter[tuple[str, str]]:
    states = (readiness.READY, readiness.NOT_READY)
    return Counter({(queue, state): 0 for queue in lanes.QUEUES for state in states})


def _existing(directory: Path) -> Path:
    """Return a directory, or the nearest one above it: the first upload makes it."""
    place = directory.absolute()
    return next(each for each in (place, *place.parents) if each.exists())


def _parts() -> Iterator[Metric]:
    """Yield what the service stands on; a limit is there where the part has one."""
    memory = redis_checks.memory()
    used = _each({name: used for name, (used, _) in memory.items()})
    limits = _each({name: limit for name, (_, limit) in memory.items() if limit})
    yield _gauge("petiole_redis_memory_bytes", "Memory that Redis uses.", ("server",), used)
    yield _gauge("petiole_redis_memory_limit_bytes", "Its maxmemory.", ("server",), limits)
    directory = stores.image_store().spool_directory
    if directory is not None:
        disk = shutil.disk_usage(_existing(directory))
        size, free = _one(disk.total), _one(disk.free)
        yield _gauge("petiole_image_store_disk_bytes", "Disk of the image store.", (), size)
        yield _gauge("petiole_image_store_free_bytes", "What is free of it.", (), free)
    build = {(version("petiole"), platform.python_version()): 1.0}
    yield _gauge("petiole_build_info", "The release.", ("version", "python"), build)
