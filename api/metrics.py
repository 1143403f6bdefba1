"""`GET /metrics` for Prometheus, right across API processes, workers and hosts.

Requests are counted in this process (merged over gunicorn's with its multiprocess
directory); jobs are counted by the job store in the step that ends them.
"""

import os
from collections.abc import Iterator
from time import perf_counter

from apiflask import APIBlueprint, APIFlask
from flask import Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api import bodies
from tasks import publisher, readiness, statistics, stores
from tasks.job_stores import Load, Work
from tasks.settings import settings

REQUESTS = Counter("petiole_http_requests", "Answered requests.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "petiole_http_request_seconds", "Time to answer, waits included.", ["method", "route"]
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are counted together: a client may invent any number of them."""

blueprint = APIBlueprint("metrics", __name__, tag="Health")


@blueprint.get("/metrics")
@blueprint.doc(operation_id="metrics", responses={})
def metrics() -> Response:
    """Return all series in Prometheus' text format."""
    return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/metrics/open-work")
@blueprint.doc(operation_id="openWork", responses={})
def open_work() -> Response:
    """Return for each queue how many jobs wait or are worked on, for who scales workers."""
    work = stores.prompt_job_store().work()
    return bodies.of_members({queue: each.open_jobs for queue, each in work.items()})


def count_requests(app: APIFlask) -> None:
    """Count every request of `app` by method, route and status."""
    app.before_request(_start_clock)
    app.after_request(_count)


def _start_clock() -> None:
    g.started = perf_counter()


def _count(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "unknown"
    method = request.method if request.method in METHODS else "other"
    REQUESTS.labels(method, route, response.status_code).inc()
    if "started" in g:
        REQUEST_SECONDS.labels(method, route).observe(perf_counter() - g.started)
    return response


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ServiceCollector())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_OwnProcess())
    return registry


class _OwnProcess(Collector):
    """The request series of this process alone, when gunicorn's directory is not set."""

    def collect(self) -> Iterator[Metric]:
        """Yield what the default registry has of ours."""
        return (m for m in REGISTRY.collect() if m.name.startswith("petiole_"))


class ServiceCollector(Collector):
    """Jobs, queues and children, as the job store and the broker have them."""

    def collect(self) -> Iterator[Metric]:
        """Yield the series; an unreachable store ends the scrape with 503."""
        store = stores.prompt_job_store()
        counts = store.counts()
        totals = statistics.totals(counts)
        yield _ended(totals)
        yield _stages(totals)
        yield _refused(counts)
        yield _trials(counts)
        yield _queues(publisher.queue_lengths())
        yield from _work(store.work())
        yield from _admitted(store.load())
        yield from _webhooks(counts)
        yield from _cache(counts)
        children = readiness.classify_children(store)
        warm = sum(child.is_ready for child in children)
        yield GaugeMetricFamily("petiole_ready_children", "Children with a warm model.", value=warm)


def _ended(totals: statistics.Totals) -> Metric:
    family = CounterMetricFamily(
        "petiole_jobs", "Jobs that ended.", labels=["state", "model", "error"]
    )
    for labels, amount in totals.ended.items():
        family.add_metric(list(labels), amount)
    return family


def _stages(totals: statistics.Totals) -> Metric:
    family = HistogramMetricFamily(
        "petiole_stage_seconds", "Time of a finished job in each stage.", labels=["stage"]
    )
    for stage, histogram in totals.stages.items():
        family.add_metric([stage], _cumulated(histogram), histogram.sum_seconds)
    return family


def _refused(counts: dict[str, float]) -> Metric:
    family = CounterMetricFamily(
        "petiole_refused_messages",
        "Messages in a queue that no worker can do: unreadable, content, malformed, unknown task.",
        labels=["reason"],
    )
    for reason, amount in statistics.refused(counts).items():
        family.add_metric([reason], amount)
    return family


def _trials(counts: dict[str, float]) -> Metric:
    family = CounterMetricFamily(
        "petiole_trial",
        "Sums of each trial: compared, agreed, errors, unserved, and seconds of predict.",
        labels=["model", "number", "kind", "version", "measure"],
    )
    for labels, amount in statistics.trials(counts):
        family.add_metric(labels, amount)
    return family


def _webhooks(counts: dict[str, float]) -> Iterator[Metric]:
    load = stores.webhooks().load()
    kept = GaugeMetricFamily("petiole_webhooks", "Webhooks that are kept.", labels=["state"])
    kept.add_metric(["due"], load.due)
    kept.add_metric(["given up"], load.dead)
    yield kept
    tries = CounterMetricFamily(
        "petiole_webhook_tries", "Tries to deliver a webhook.", labels=["outcome"]
    )
    for outcome, amount in statistics.webhook_tries(counts).items():
        tries.add_metric([outcome], amount)
    yield tries


def _cache(counts: dict[str, float]) -> Iterator[Metric]:
    asked = CounterMetricFamily(
        "petiole_cache",
        "Pictures whose answer might have been known: hit, miss, and of the latter follower.",
        labels=["outcome"],
    )
    for outcome, amount in statistics.cache(counts).items():
        asked.add_metric([outcome], amount)
    yield asked
    n, size = stores.prompt_job_store().kept_answers()
    yield GaugeMetricFamily("petiole_cache_answers", "Answers that are kept.", value=n)
    yield GaugeMetricFamily("petiole_cache_bytes", "Bytes of these answers, about.", value=size)


def _cumulated(histogram: statistics.StageHistogram) -> list[tuple[str, float]]:
    """Return Prometheus' buckets: each counts all times up to its limit."""
    limits = [*map(str, statistics.BUCKETS_SECONDS), statistics.INFINITE]
    rows, below = [], 0.0
    for limit in limits:
        below += histogram.buckets.get(limit, 0.0)
        rows.append((limit, below))
    return rows


def _queues(lengths: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(
        "celery_queue_length", "Messages that wait in each queue.", labels=["queue_name"]
    )
    for queue, length in lengths.items():
        family.add_metric([queue], length)
    return family


def _work(work: dict[str, Work]) -> Iterator[Metric]:
    """Yield what there is to do; waiting and running come from one look, so they add up."""
    waiting = GaugeMetricFamily(
        "petiole_waiting_jobs", "Jobs that wait.", labels=["queue", "priority"]
    )
    running = _by_queue("petiole_running_jobs", "Jobs that a worker has begun.")
    open_jobs = _by_queue("petiole_open_jobs", "Jobs that wait or are worked on.")
    oldest = _by_queue("petiole_oldest_job_seconds", "How long the oldest waiting job waits.")
    for queue, each in work.items():
        for priority, n in each.waiting.items():
            waiting.add_metric([queue, priority], n)
        running.add_metric([queue], each.running)
        open_jobs.add_metric([queue], each.open_jobs)
        oldest.add_metric([queue], each.oldest_seconds)
    yield from (waiting, running, open_jobs, oldest)


def _by_queue(name: str, description: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, description, labels=["queue"])


def _admitted(load: Load) -> Iterator[Metric]:
    """Yield what admission looks at: single pictures, of any queue."""
    limits = settings()
    for name, description, value in (
        ("pictures", "Pictures that were accepted and are not over.", load.open_jobs),
        ("pictures_limit", "How many of them may be open.", limits.max_open_jobs),
        ("bytes", "Bytes of these pictures together.", load.open_bytes),
        ("bytes_limit", "How many bytes they may have.", limits.max_open_bytes),
    ):
        yield GaugeMetricFamily(f"petiole_open_{name}", description, value=value)
