"""One trace from the client's `traceparent` to the webhook, as a real receiver of OTLP gets it."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any
from uuid import uuid4

import psutil
import pytest
import requests
from pytest_httpserver import HTTPServer

from benchmarks.otlp import Received, Receiver, receiving
from tests.conftest import free_port, picture
from tests.test_bulk.conftest import zipped
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, faulty_worker, staged, worker
from tests.test_workers.faulty import LONG

pytestmark = pytest.mark.end_to_end

CLIENT = "00f067aa0ba902b7"
MOST_ATTEMPTS = 3
BYTES_OF_A_TRACE = 55
"""What a job carries of it, sampled or not: `traceparent` as W3C has it."""
JPEG = {"Content-Type": "image/jpeg"}
ONE_CHILD = ("--concurrency", "1")
DOWNLOADER = worker("--pool", "threads", "--concurrency", "2", queue="downloads")


@pytest.fixture(scope="module")
def otlp() -> Iterator[Receiver]:
    """A receiver of traces."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def service(
    otlp: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[Stage]:
    """An API and a worker of downloads that send their spans soon; no classify worker yet."""
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "PETIOLE_TASKS_LOST_AFTER_SECONDS": "1",
    }
    directory = tmp_path_factory.mktemp("traces")
    with ExitStack() as stack:
        made = stack.enter_context(
            staged(directory, colour_store, original_environment, **settings)
        )
        stack.enter_context(made.running(DOWNLOADER))
        yield made


@pytest.fixture(scope="module")
def classifier(service: Stage) -> Iterator[psutil.Process]:
    """A classify worker of one child, which can be told to be slow."""
    with service.working(faulty_worker(*ONE_CHILD)) as process:
        wait_until(lambda: service.get("/readyz").json()["downloaders"])
        yield process


def sent(stage: Stage, path: str = "/classify", **options: Any) -> tuple[str, str]:
    """POST something in a new trace; returns that and the task."""
    trace_id = uuid4().hex
    headers = {"traceparent": f"00-{trace_id}-{CLIENT}-01", **options.pop("headers", {})}
    url = stage.api_url + path
    answer = requests.post(url, headers=headers, timeout=HTTP_SECONDS, **options).json()
    return trace_id, str(answer.get("task_id", answer.get("bulk_id")))


def trace(otlp: Receiver, trace_id: str, last: str, n: int = 1) -> list[Received]:
    """Return the spans of a trace once the last one is there, so often."""

    def is_whole() -> bool:
        return sum(span.name == last for span in otlp.of(trace_id)) >= n

    wait_until(is_whole)
    return otlp.of(trace_id)


def tree(spans: list[Received]) -> list[tuple[str, str]]:
    """Return each span's name with that of its parent."""
    names = {span.span_id: span.name for span in spans} | {CLIENT: "the client"}
    return sorted((names[span.parent_id], span.name) for span in spans)


def named(spans: list[Received], name: str) -> list[Received]:
    """Return the spans of a name."""
    return [span for span in spans if span.name == name]


def followed(spans: list[Received], span: Received) -> list[Received]:
    """Return what a span links to."""
    return [each for each in spans if (each.trace_id, each.span_id) in span.links]


BY_ADDRESS = [
    ("POST /classify", "accept"),
    *(("accept", name) for name in ("classify", "download", "queue", "queue", "webhook")),
    *(("classify", name) for name in ("claim", "decode", "finish", "predict")),
    *(("download", name) for name in ("claim", "fetch")),
    ("the client", "POST /classify"),
]


def test_a_picture_is_one_trace_from_its_client_to_its_webhook(
    service: Stage, classifier: psutil.Process, otlp: Receiver, httpserver: HTTPServer
) -> None:
    """By address, over API, two workers and two queues; the receiver goes on with it."""
    httpserver.expect_request("/a.jpg").respond_with_data(picture("blue"))
    httpserver.expect_request("/told", method="POST").respond_with_data("")
    body = {
        key: httpserver.url_for(path)
        for key, path in (("image_url", "/a.jpg"), ("webhook_url", "/told"))
    }
    trace_id, task_id = sent(service, json=body)
    spans = trace(otlp, trace_id, "webhook")
    (webhook,), (accept,) = named(spans, "webhook"), named(spans, "accept")
    told = next(request for request, _ in httpserver.log if request.path == "/told")

    assert tree(spans) == BY_ADDRESS
    assert all(span.error == "" and span.links == () for span in spans)
    assert told.headers["traceparent"] == f"00-{trace_id}-{webhook.span_id}-01"
    assert accept.attributes["petiole.task_id"] == task_id
    assert {span.service for span in spans} == {"petiole-api", "petiole-worker"}


def test_stages_follow_each_other(
    service: Stage, classifier: psutil.Process, otlp: Receiver
) -> None:
    """No one begins before what it needs is over, and an attempt spans its stages."""
    trace_id, _ = sent(service, data=picture(), headers=JPEG)
    spans = trace(otlp, trace_id, "classify")
    order = [
        named(spans, name)[0]
        for name in ("accept", "queue", "claim", "decode", "predict", "finish")
    ]
    (whole,) = named(spans, "classify")

    assert all(span.began_at <= span.ended_at for span in spans)
    assert [span.began_at for span in order] == sorted(span.began_at for span in order)
    assert all(a.ended_at <= b.began_at + 0.001 for a, b in pairwise(order[1:]))
    assert whole.began_at <= order[2].began_at
    assert order[-1].ended_at <= whole.ended_at + 0.001


def test_a_picture_of_a_killed_child_links_to_the_attempt_that_was_lost(
    service: Stage, classifier: psutil.Process, otlp: Receiver
) -> None:
    """The dead can send no span: the next attempt sends that of the lost one as well."""
    (child,) = classifier.children()
    trace_id, _ = sent(service, data=picture() + LONG)
    wait_until(lambda: service.redis.zcard("petiole:started"))
    child.kill()
    spans = trace(otlp, trace_id, "classify", 2)
    lost, again = named(spans, "classify")
    (resent,) = named(spans, "send again")

    assert (lost.error, again.error) == ("its worker was lost", "")
    assert followed(spans, resent) == [lost]
    assert followed(spans, again) == [resent]
    assert [span.attributes["petiole.attempt"] for span in (again,)] == [2]


def test_the_last_attempt_of_a_quarantined_picture_is_in_the_log_alone(
    service: Stage, classifier: psutil.Process, otlp: Receiver
) -> None:
    """Each attempt is sent by the next one, and there is none after the last."""
    trace_id, task_id = sent(service, data=picture() + LONG)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        owner = wait_until(lambda n=attempt: owner_of(service, task_id, attempt=n))
        wait_until(lambda n=attempt: len(named(otlp.of(trace_id), "classify")) == n - 1)
        psutil.Process(int(owner.rpartition(":")[2])).kill()
    wait_until(lambda: service.get(f"/result/{task_id}").json()["state"] == "FAILURE")
    next_trace, _ = sent(service, data=picture())
    trace(otlp, next_trace, "classify")
    errors = [span.error for span in named(otlp.of(trace_id), "classify")]

    assert errors == ["its worker was lost"] * (MOST_ATTEMPTS - 1)
    # Of the main process, or of whoever looks for lost jobs: who finds it first.
    lines = "".join(log.read_text() for log in service.logs).splitlines()
    assert any(task_id in line and "quarantine" in line for line in lines)


def owner_of(service: Stage, task_id: str, *, attempt: int) -> str | None:
    """Return which process has begun the attempt, once one has."""
    job = service.redis.hgetall(f"petiole:job:{task_id}")
    begun = (job.get("state"), job.get("attempts")) == ("STARTED", str(attempt))
    return job["owner"] if begun else None


def test_a_lost_message_that_is_sent_again_links_to_the_first(
    service: Stage, classifier: psutil.Process, otlp: Receiver
) -> None:
    """Nobody had begun with the job: what is followed is its acceptance."""
    processes = [classifier, *classifier.children()]
    for each in processes:
        each.suspend()
    # The first message goes to whoever waited for one.
    sent(service, data=picture("green"), headers=JPEG)
    wait_until(lambda: not service.redis.llen("classify"))
    trace_id, _ = sent(service, data=picture(), headers=JPEG)
    assert service.redis.delete("classify")
    for each in processes:
        each.resume()
    spans = trace(otlp, trace_id, "classify")
    (resent,), (again,) = named(spans, "send again"), named(spans, "classify")

    assert followed(spans, resent) == named(spans, "accept")
    assert followed(spans, again) == [resent]


def test_a_download_that_is_put_off_and_a_webhook_that_is_tried_again_are_linked(
    service: Stage, classifier: psutil.Process, otlp: Receiver, httpserver: HTTPServer
) -> None:
    """Each try is a span, and says why it was in vain."""
    httpserver.expect_oneshot_request("/told", method="POST").respond_with_data("", status=503)
    httpserver.expect_request("/told", method="POST").respond_with_data("")
    port = free_port()
    picture_url = f"http://127.0.0.1:{port}/a.jpg"
    body = {"image_url": picture_url, "webhook_url": httpserver.url_for("/told")}
    trace_id, _ = sent(service, json=body)
    trace(otlp, trace_id, "download")
    with HTTPServer(port=port) as late:
        late.expect_request("/a.jpg").respond_with_data(picture("blue"))
        spans = trace(otlp, trace_id, "webhook", 2)
    downloads, tries = named(spans, "download"), named(spans, "webhook")
    (resent,) = named(spans, "send again")

    assert downloads[0].attributes["petiole.put_off"] == "DownloadUnreachableError"
    assert followed(spans, downloads[-1]) == [resent]
    assert followed(spans, resent) == [downloads[0]]
    assert (tries[0].error, tries[1].error) == ("it answered 503", "")
    assert followed(spans, tries[1]) == [tries[0]]


def test_a_request_that_is_sent_again_links_to_the_first_one(
    service: Stage, classifier: psutil.Process, otlp: Receiver
) -> None:
    """By its Idempotency-Key: two traces of one task."""
    headers = {**JPEG, "Idempotency-Key": "k-1"}
    first, task_id = sent(service, data=picture(), headers=headers)
    second, same_id = sent(service, data=picture(), headers=headers)
    (accept,) = named(trace(otlp, first, "accept"), "accept")
    (again,) = named(trace(otlp, second, "accept"), "accept")

    assert task_id == same_id
    assert again.links == ((first, accept.span_id),)


def test_a_failed_picture_is_an_attempt_with_its_error(
    service: Stage, classifier: psutil.Process, otlp: Receiver
) -> None:
    """The request itself was well."""
    trace_id, _ = sent(service, data=picture(size=(300, 300))[:-900], headers=JPEG)
    spans = trace(otlp, trace_id, "classify")

    assert [span.error for span in named(spans, "classify")] == ["TruncatedImageError"]
    assert [span.error for span in named(spans, "POST /classify")] == [""]


def test_a_pack_of_a_bulk_is_one_span_with_its_counts(service: Stage, otlp: Receiver) -> None:
    """Not one for each picture."""
    members = {"a.jpg": picture(), "b.jpg": picture("blue"), "c.jpg": b"none"}
    command = worker(*ONE_CHILD, queue="bulk")
    with service.running(command):
        trace_id, _ = sent(service, "/bulk", data=zipped(members))
        spans = trace(otlp, trace_id, "finish")
    (counted,) = named(spans, "predict")
    counts = {
        key: counted.attributes[f"petiole.{key}"] for key in ("pictures", "succeeded", "failed")
    }

    assert counts == {"pictures": 3, "succeeded": 2, "failed": 1}
    assert [span.name for span in spans].count("bulk") == 2  # the listing, and the pack


def test_what_the_client_does_not_sample_is_not_recorded(
    service: Stage, classifier: psutil.Process, otlp: Receiver
) -> None:
    """Its decision travels with the job; other traces go on."""
    silent = uuid4().hex
    headers = {**JPEG, "traceparent": f"00-{silent}-{CLIENT}-00"}
    _, task_id = sent(service, data=picture("green"), headers=headers)
    service.answered([task_id], seconds=30)
    loud, _ = sent(service, data=picture(), headers=JPEG)
    trace(otlp, loud, "classify")

    assert otlp.of(silent) == []
    assert len(service.redis.hget(f"petiole:job:{task_id}", "trace") or "") == BYTES_OF_A_TRACE


def test_health_is_not_recorded(service: Stage, otlp: Receiver) -> None:
    """Machines ask for it all the time."""
    for path in ("/livez", "/readyz", "/metrics", "/models"):
        service.get(path)
    wait_until(lambda: "GET /models" in {span.name for span in otlp.spans})

    assert not {"GET /livez", "GET /readyz", "GET /metrics"} & {span.name for span in otlp.spans}


TOLD = {
    *("http.request.method", "http.response.status_code", "http.route", "server.address"),
    *("task_id", "request_id", "kind", "model", "attempt", "put_off", "runtime", "upload_bytes"),
    *("pictures", "succeeded", "failed"),
}
TOKEN, NAME = "a-token-in-an-address", "a-name-of-a-patient"


def test_spans_tell_nothing_that_is_a_clients_own(
    service: Stage, classifier: psutil.Process, otlp: Receiver, httpserver: HTTPServer
) -> None:
    """No name of a file, no more of an address than the host, no key; of all that was sent here."""
    httpserver.expect_request("/a.jpg").respond_with_data(picture("blue"))
    httpserver.expect_request(f"/{TOKEN}", method="POST").respond_with_data("")
    pair = (("image_url", f"/a.jpg?key={TOKEN}"), ("webhook_url", f"/{TOKEN}"))
    addresses = {key: httpserver.url_for(path) for key, path in pair}
    secret = {"Authorization": f"Bearer {TOKEN}", "tracestate": f"a={TOKEN}", "Cookie": TOKEN}
    by_address, _ = sent(service, json=addresses, headers=secret)
    files = {"image": (f"{NAME}.jpg", picture() + TOKEN.encode())}
    upload, _ = sent(service, files=files, headers=secret)
    for sent_id, last in ((by_address, "webhook"), (upload, "classify")):
        trace(otlp, sent_id, last)
    told = {name.removeprefix("petiole.") for span in otlp.spans for name in span.attributes}
    handed_on = [request.headers.get("tracestate") for request, _ in httpserver.log]

    assert told <= TOLD
    assert not any(word in repr(otlp.spans) for word in (TOKEN, NAME))
    assert set(handed_on) == {None}
