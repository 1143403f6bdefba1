"""The id of a request is in its answer, in every line about it, and with its webhook."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer

from tests.conftest import free_port, picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, faulty_worker, staged, worker
from tests.test_workers.faulty import FAULTY as FAULT

pytestmark = pytest.mark.end_to_end

SECRET = "whsec_TfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of this test alone
TOKEN = "a-token-in-an-address"  # noqa: S105 - as above
JPEG = {"Content-Type": "image/jpeg"}
NEW_ID = re.compile(r"[0-9a-f]{32}")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
LEVELS = {"info", "warning", "error"}


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[Stage]:
    """An API and workers that log JSON."""
    directory = tmp_path_factory.mktemp("correlation")
    settings = {
        "PETIOLE_TASKS_LOG_FORMAT": "json",
        "PETIOLE_TASKS_WEBHOOK_SECRET": SECRET,
        "PETIOLE_API_REQUEST_SECONDS": "2",
    }
    faulty = faulty_worker("--concurrency", "1")
    downloader = worker("--pool", "threads", "--concurrency", "2", queue="downloads")
    with ExitStack() as stack:
        made = stack.enter_context(
            staged(directory, colour_store, original_environment, **settings)
        )
        stack.enter_context(made.running(downloader))
        stack.enter_context(made.working(faulty))
        wait_until(lambda: made.get("/readyz").json()["downloaders"])
        yield made


def lines(stage: Stage, **wanted: str) -> list[dict[str, Any]]:
    """Return the lines of the API and all workers that have these fields."""
    texts = [text for log in stage.logs[1:] for text in log.read_text().splitlines()]
    found = [json.loads(text) for text in texts if text.startswith("{")]
    return [each for each in found if wanted.items() <= each.items()]


def ends(stage: Stage, task_id: str) -> list[dict[str, Any]]:
    """Return the lines that say how a job ended, once there is one."""
    return wait_until(lambda: lines(stage, event="job over", task_id=task_id))


def sent(stage: Stage, request_id: str, **options: Any) -> requests.Response:
    """Send one picture under an id."""
    headers = {**JPEG, "X-Request-ID": request_id}
    options = {"data": picture(), "headers": headers, **options}
    return requests.post(f"{stage.api_url}/classify", timeout=HTTP_SECONDS, **options)


ANSWERS = {
    "accepted": ("POST", "/classify", picture(), 202),
    "no picture": ("POST", "/classify", b"", 400),
    "no such option": ("POST", "/classify?topk=3", picture(), 422),
    "no such page": ("GET", "/nothing", b"", 404),
    "no such task": ("GET", "/result/nothing", b"", 404),
    "no such method": ("DELETE", "/models", b"", 405),
    "too large": ("POST", "/classify", b"x" * 10_500_000, 413),
    "alive": ("GET", "/livez", b"", 200),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_every_answer_has_the_id_of_its_request(service: Stage, case: str) -> None:
    """Also one that refuses."""
    method, path, body, status = ANSWERS[case]
    headers = {**JPEG, "X-Request-ID": "order-66/a.b"}
    url = service.api_url + path
    answer = requests.request(method, url, data=body, headers=headers, timeout=HTTP_SECONDS)

    assert (answer.status_code, answer.headers["X-Request-ID"]) == (status, "order-66/a.b")


HEAD = b"POST /classify HTTP/1.1\r\nHost: petiole\r\nX-Request-ID: raw-1\r\n"
REFUSED_EARLY = {
    "a header that is none": (HEAD + b"Content-Type image\r\n\r\n", b" 400 "),
    "a body that never comes": (HEAD + b"Content-Length: 5\r\n\r\nabc", b" 408 "),
}


@pytest.mark.parametrize("case", REFUSED_EARLY)
def test_the_server_refuses_under_the_id_as_well(service: Stage, case: str) -> None:
    """The application never sees these requests."""
    raw, status = REFUSED_EARLY[case]
    port = int(service.api_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=HTTP_SECONDS) as connection:
        connection.sendall(raw)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert status in answer.partition(b"\r\n")[0]
    assert b"\r\nX-Request-ID: raw-1\r\n" in answer


HOSTILE = {
    "none": "",
    "too long": "a" * 129,
    "ten kilobytes": "a" * 10_000,
    "a blank": "a b",
    "markup": "<script>alert(1)</script>",
    "JSON": 'a","level":"error',
    "another alphabet": "caf\u00e9",
    "two": "a, b",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_id_that_is_not_plain_is_not_taken(service: Stage, case: str) -> None:
    """There is a new one in its place."""
    said = HOSTILE[case].encode("latin-1")
    port = int(service.api_url.rpartition(":")[2])
    connection = HTTPConnection("127.0.0.1", port, timeout=HTTP_SECONDS)
    connection.putrequest("GET", "/livez")
    connection._buffer.append(b"X-Request-ID: " + said)  # type: ignore[attr-defined] # unchecked
    connection.endheaders()
    answer = connection.getresponse()
    connection.close()

    assert NEW_ID.fullmatch(answer.headers["X-Request-ID"])


@pytest.fixture
def receiver(httpserver: HTTPServer) -> str:
    """The address of somebody who wants to be told, beside a picture."""
    httpserver.expect_request("/a.jpg").respond_with_data(picture("blue"))
    httpserver.expect_request("/told", method="POST").respond_with_data("")
    return httpserver.url_for("/told")


def test_the_id_goes_with_the_job_to_its_webhook(
    service: Stage, httpserver: HTTPServer, receiver: str
) -> None:
    """In the lines of every worker that had it in hand; so does a client's trace."""
    body = {
        "image_url": httpserver.url_for(f"/a.jpg?key={TOKEN}"),
        "webhook_url": f"{receiver}?key={TOKEN}",
    }
    headers = {"X-Request-ID": "order-67", "traceparent": TRACEPARENT}
    answer = sent(service, "", json=body, data=None, headers=headers)
    (delivered,) = wait_until(lambda: lines(service, event="webhook delivered"))
    (end,) = ends(service, answer.json()["task_id"])
    told = [request for request, _ in httpserver.log if request.path == "/told"]

    assert (end["request_id"], delivered["request_id"]) == ("order-67", "order-67")
    assert (end["trace_id"], delivered["trace_id"]) == (TRACE, TRACE)
    assert {key: end[key] for key in ("state", "model", "kind", "level")} == {
        **{"state": "SUCCESS", "model": "colours@1"},
        **{"kind": "classification", "level": "info"},
    }
    assert 0 <= end["seconds"] < HTTP_SECONDS
    assert told[0].headers["X-Request-ID"] == "order-67"
    assert told[0].headers["traceparent"][:35] == TRACEPARENT[:35]


def test_what_a_worker_says_meanwhile_has_both_ids(service: Stage) -> None:
    """Such as that nobody answers at the picture's address."""
    nobody = f"http://127.0.0.1:{free_port()}/a.jpg"
    answer = sent(
        service, "", json={"image_url": nobody}, data=None, headers={"X-Request-ID": "order-69"}
    )
    (line,) = wait_until(lambda: lines(service, event="job put off"))

    assert (line["request_id"], line["task_id"]) == ("order-69", answer.json()["task_id"])


def test_a_failure_of_ours_is_one_line_with_its_traceback(service: Stage) -> None:
    """Celery's own line about it would be a second one."""
    answer = sent(service, "order-68", data=picture() + FAULT)
    task_id = answer.json()["task_id"]
    (end,) = ends(service, task_id)
    others = [each for each in lines(service) if task_id in json.dumps(each) and each != end]

    assert (end["level"], end["error"], end["request_id"]) == (
        *("error", "internal-error", "order-68"),
    )
    assert "a fault of ours" in end["exception"]
    assert others == []


def test_each_end_is_one_line(service: Stage) -> None:
    """Well or broken; of pictures that a child takes along as well."""
    crowd = [sent(service, f"crowd-{n}").json()["task_id"] for n in range(12)]
    half = picture(size=(300, 300))[:-900]
    broken = sent(service, "broken", data=half).json()["task_id"]
    states = {task_id: [end["state"] for end in ends(service, task_id)] for task_id in crowd}

    assert states == {task_id: ["SUCCESS"] for task_id in crowd}
    (end,) = ends(service, broken)
    assert (end["state"], end["level"], end["error"]) == ("FAILURE", "info", "truncated-image")


def test_the_log_has_neither_secrets_nor_bytes(service: Stage) -> None:
    """Of what this file has sent; each line of ours is one JSON object with time and level."""
    text = "".join(log.read_text() for log in service.logs[1:])
    found = lines(service)

    assert found
    assert all(each["level"] in LEVELS and each["timestamp"] and each["logger"] for each in found)
    assert SECRET not in text
    assert TOKEN not in text
    assert "JFIF" not in text
