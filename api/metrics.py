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
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api import bodies, errors
from api.service_series import ServiceCollector
from tasks import stores

REQUESTS = Counter("petiole_http_requests", "Answered requests.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "petiole_http_request_seconds",
    "Time to answer, waits included.",
    ["method", "route"],
    buckets=(*(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5), *(1, 2.5, 5, 10, 30, 60)),
)
REFUSED = Counter(
    "petiole_refused_requests",
    "Requests that were answered with a problem, by the last word of its type.",
    ["route", "status", "reason"],
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
    if reason := errors.reason():
        REFUSED.labels(route, response.status_code, reason).inc()
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
