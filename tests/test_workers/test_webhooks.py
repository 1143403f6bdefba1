"""Clients are told by every worker that takes downloads, however it is started."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from petiole import parts
from petiole.parts import Part
from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, worker

pytestmark = pytest.mark.end_to_end

SLOW_SECONDS = 4.0
"""Longer than a job may be held by nobody before it counts as lost, and is looked for."""


def of_every_queue(pool: str) -> Part:
    """Return a worker that was told no queue, as `celery -A tasks worker`."""
    options = ("--pool", pool, "--concurrency", "1")
    return Part("worker", (*parts.CELERY, "worker", *options), parts.WORKER_ENVIRONMENT)


def told(httpserver: HTTPServer) -> dict[str, str]:
    """Return of which tasks the receiver was told, and their ends."""
    bodies = [json.loads(r.get_data()) for r, _ in httpserver.log if r.path == "/told"]
    return {body["data"]["task_id"]: body["data"]["state"] for body in bodies}


@pytest.fixture
def receiver(httpserver: HTTPServer) -> str:
    """The address of somebody who wants to be told, beside a picture that comes slowly."""

    def give_slowly(_: Request) -> Response:
        time.sleep(SLOW_SECONDS)
        return Response(picture("blue"))

    httpserver.expect_request("/slow.jpg").respond_with_handler(give_slowly)
    httpserver.expect_request("/told", method="POST").respond_with_data("")
    return httpserver.url_for("/told")


def sent(stage: Stage, **members: str) -> str:
    """Send a picture as JSON and return its task id."""
    answer = requests.post(f"{stage.api_url}/classify", json=members, timeout=HTTP_SECONDS)
    return str(answer.json()["task_id"])


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_worker_of_every_queue_downloads_and_tells(
    stage: Stage, httpserver: HTTPServer, receiver: str, pool: str
) -> None:
    """A download of its that takes long is not taken for lost."""
    with stage.working(of_every_queue(pool)):
        wait_until(lambda: stage.get("/readyz").json()["downloaders"])
        slow = httpserver.url_for("/slow.jpg")
        task_id = sent(stage, image_url=slow, webhook_url=receiver)
        wait_until(lambda: task_id in told(httpserver))
        job = stage.get(f"/jobs/{task_id}").json()

    assert told(httpserver)[task_id] == "SUCCESS"
    assert (job["resent"], job["attempts"]) == (0, 1)


def findings(stage: Stage) -> list[dict[str, Any]]:
    """Return what `petiole doctor` warns of about the service."""
    asked = subprocess.run(
        [sys.executable, "-m", "petiole", "doctor", "--json"],
        cwd=ROOT,
        env=stage.environment,
        capture_output=True,
        timeout=HTTP_SECONDS,
        check=False,
    )
    found = json.loads(asked.stdout)["findings"]
    return [each for each in found if (each["check"], each["level"]) == ("service", "warning")]


def test_where_nobody_takes_downloads_it_is_said(
    stage: Stage, httpserver: HTTPServer, receiver: str
) -> None:
    """What was promised meanwhile is told once somebody does, also by a worker with children."""
    options = {"webhook_url": receiver}
    with stage.working(worker()):
        task_id = requests.post(
            f"{stage.api_url}/classify", params=options, data=picture(), timeout=HTTP_SECONDS
        ).json()["task_id"]
        (warning,) = wait_until(lambda: stage.get("/readyz").json()["warnings"])
        alone, nobody = findings(stage)
        with stage.running(worker(queue="downloads")):
            wait_until(lambda: task_id in told(httpserver))
            wait_until(lambda: not stage.get("/readyz").json()["warnings"])
            left = findings(stage)

    assert warning.startswith("webhooks: no worker takes downloads, so none is delivered (1 to be")
    assert "so none is delivered" in alone["says"] + nobody["says"]
    assert "pictures sent by address and webhooks wait" in alone["says"] + nobody["says"]
    assert "-Q downloads" in alone["to_do"]
    assert left == []
