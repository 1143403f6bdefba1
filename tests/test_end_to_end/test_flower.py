"""What Flower shows of pictures: under the id that their clients have, however they end."""

import re
from threading import Event
from typing import Any

import pytest
import requests
from flower import urls
from pytest_httpserver import HTTPServer
from tornado.web import URLSpec
from werkzeug import Request, Response

from tests.test_end_to_end.conftest import (
    FLOWER_AUTH,
    HTTP_SECONDS,
    SAMPLE,
    RunningService,
    wait_until,
)

pytestmark = pytest.mark.end_to_end

OPEN = {"/healthcheck", "/static/x", "/login/?", "/logout", ".*"}
"""What shows nothing: it lives, scripts and styles of its pages, no page."""
READS = {"/tasks/datatable"}


def shown(service: RunningService, task_id: str, *, state: str) -> dict[str, Any]:
    """Return what Flower knows of a task once it shows it in this state."""
    url = f"{service.flower}/api/task/info/{task_id}"

    def asked() -> dict[str, Any] | None:
        answer = requests.get(url, auth=FLOWER_AUTH, timeout=HTTP_SECONDS)
        return answer.json() if answer.ok and answer.json()["state"] == state else None

    return dict(wait_until(asked))


def sent_by_address(service: RunningService, url: str) -> str:
    """Have a picture downloaded, and return its task id."""
    answer = requests.post(f"{service.api}/classify", json={"image_url": url}, timeout=HTTP_SECONDS)
    return str(answer.json()["task_id"])


def prefetched(service: RunningService) -> float:
    """Return how many tasks `classify` the download worker has and did not start, by Flower."""
    url = f"{service.flower}/metrics"
    series = requests.get(url, auth=FLOWER_AUTH, timeout=HTTP_SECONDS).text
    of_downloader = re.compile(
        r'^flower_worker_prefetched_tasks\{task="classify",worker="downloads@[^"]*"\} (.*)$', re.M
    )
    return sum(map(float, of_downloader.findall(series)))


def test_flower_shows_the_task_without_the_picture(service: RunningService) -> None:
    """State and runtime are there; the arguments are the task id and nothing else."""
    task_id = service.classify(wait=20).json()["task_id"]
    task = shown(service, task_id, state="SUCCESS")

    assert (task["name"], task["args"]) == ("classify", f"('{task_id}',)")
    assert task["runtime"] > 0


def test_a_failed_download_is_shown_under_the_clients_id(
    service: RunningService, httpserver: HTTPServer
) -> None:
    """With the reason that its client is told; nothing counts as prefetched afterwards."""
    httpserver.expect_request("/none.jpg").respond_with_data("", status=404)
    task_id = sent_by_address(service, httpserver.url_for("/none.jpg"))
    error = service.get(f"/result/{task_id}?wait=20").json()["error"]
    task = shown(service, task_id, state="FAILURE")

    assert (task["name"], task["args"]) == ("classify", f"('{task_id}',)")
    assert task["exception"] == f"{error['title']}: {error['detail']}"
    assert task["worker"].startswith("downloads@")
    assert task["received"] < task["failed"]
    assert prefetched(service) == 0


def test_a_cancelled_download_is_shown_under_the_clients_id(
    service: RunningService, httpserver: HTTPServer
) -> None:
    """One that was cancelled before its download began."""
    downloader = service.part("downloader")
    downloader.suspend()
    try:
        task_id = sent_by_address(service, httpserver.url_for("/any.jpg"))
        requests.delete(f"{service.api}/result/{task_id}", timeout=HTTP_SECONDS)
    finally:
        downloader.resume()

    assert shown(service, task_id, state="REVOKED")["name"] == "classify"
    assert prefetched(service) == 0


@pytest.mark.parametrize(("deadline", "state"), [(60, "REVOKED"), (1, "STARTED")])
def test_a_picture_that_is_over_before_a_worker_comes_to_it(
    service: RunningService, deadline: int, state: str
) -> None:
    """Flower shows what the worker did with its message: one was cancelled, one is too late."""
    children = service.part("worker").children()
    for child in children:
        child.suspend()
    try:
        for _ in children:
            service.classify()
        task_id = service.classify(deadline=deadline).json()["task_id"]
        if state == "REVOKED":
            requests.delete(f"{service.api}/result/{task_id}", timeout=HTTP_SECONDS)
        wait_until(lambda: service.get(f"/result/{task_id}").json()["state"] == "REVOKED")
    finally:
        for child in children:
            child.resume()

    assert shown(service, task_id, state=state)["uuid"] == task_id


def test_a_download_that_is_cancelled_meanwhile_is_shown_as_done(
    service: RunningService, httpserver: HTTPServer
) -> None:
    """It ends by itself, and no picture of it is ever shown."""
    asked, cancelled = Event(), Event()

    def held(_: Request) -> Response:
        asked.set()
        cancelled.wait(HTTP_SECONDS)
        return Response(SAMPLE.read_bytes())

    httpserver.expect_request("/slow.jpg").respond_with_handler(held)
    task_id = sent_by_address(service, httpserver.url_for("/slow.jpg"))
    assert asked.wait(HTTP_SECONDS)
    requests.delete(f"{service.api}/result/{task_id}", timeout=HTTP_SECONDS)
    cancelled.set()
    download = shown(service, f"{task_id}.download", state="SUCCESS")
    url = f"{service.flower}/api/task/info/{task_id}"

    assert download["name"] == "download"
    assert requests.get(url, auth=FLOWER_AUTH, timeout=HTTP_SECONDS).status_code == 404


def routes(*, changing: bool) -> list[tuple[str, str]]:
    """Return method and path of every route that this version of Flower has, but the open ones."""
    found = []
    for handler in urls.handlers:
        regex, kind = (
            (handler.regex.pattern, handler.handler_class)
            if isinstance(handler, URLSpec)
            else handler[:2]
        )
        path = regex.removesuffix("$").replace("(.+)", "x").replace("(.*)", "x")
        methods = [method for method in ("get", "post") if method in vars(kind)]
        found += [(method, path) for method in methods if path not in OPEN]
    posts = [(method, path) for method, path in found if method == "post" and path not in READS]
    return posts if changing else found


@pytest.mark.parametrize("auth", [None, ("tester", "wrong"), ("", "")])
def test_flower_shows_nothing_without_the_password(
    service: RunningService, auth: tuple[str, str] | None
) -> None:
    """Its metrics neither; that it lives is no secret."""
    asked = routes(changing=False)
    answers = {
        (method, path): requests.request(
            method, f"{service.flower}{path}", auth=auth, timeout=HTTP_SECONDS
        ).status_code
        for method, path in asked
    }

    assert answers == dict.fromkeys(asked, 401)
    assert {("get", "/metrics"), ("get", "/tasks"), ("post", "/api/task/revoke/x")} < set(asked)


def test_flower_changes_nothing(service: RunningService) -> None:
    """Who has its password looks on, unless `FLOWER_READ_ONLY` is false: also in a later Flower."""
    asked = routes(changing=True)
    answers = {
        (method, path): requests.request(
            method, f"{service.flower}{path}", auth=FLOWER_AUTH, json={}, timeout=HTTP_SECONDS
        ).status_code
        for method, path in asked
    }

    assert answers == dict.fromkeys(asked, 403)
    assert len(asked) == 14
