"""What Flower shows of pictures: under the id that their clients have, however they end."""

import re
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer

from tests.test_end_to_end.conftest import (
    FLOWER_AUTH,
    HTTP_SECONDS,
    RunningService,
    wait_until,
)

pytestmark = pytest.mark.end_to_end


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
    series = requests.get(f"{service.flower}/metrics", timeout=HTTP_SECONDS).text
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


def test_flower_asks_for_the_password(service: RunningService) -> None:
    """Basic auth comes from the environment."""
    url = f"{service.flower}/api/workers"

    assert requests.get(url, timeout=HTTP_SECONDS).status_code == 401
