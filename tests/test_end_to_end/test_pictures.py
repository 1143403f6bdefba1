"""POST → poll → answer over HTTP, with a real picture, the real model and real processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from pytest_httpserver import HTTPServer

from tests.conftest import ROOT
from tests.test_end_to_end.conftest import (
    HTTP_SECONDS,
    SAMPLE,
    RunningService,
    wait_until,
)

pytestmark = pytest.mark.end_to_end


def test_post_poll_answer(service: RunningService) -> None:
    """A task id at once, the label a moment later."""
    accepted = service.classify()
    url = accepted.headers["Location"]
    finished = wait_until(lambda: (r := service.get(url)).status_code == 200 and r.json())

    assert accepted.status_code == 202
    assert finished["predictions"][0]["label"] == "espresso"
    assert finished["predictions"][0]["probability"] > 0.9
    assert finished["timings_ms"]["total"] >= finished["timings_ms"]["predict"] > 0


def test_a_url_is_downloaded_and_classified(
    service: RunningService, httpserver: HTTPServer
) -> None:
    """The download worker fetches it, the classify worker answers."""
    httpserver.expect_request("/cup.jpg").respond_with_data(SAMPLE.read_bytes())
    body = {"image_url": httpserver.url_for("/cup.jpg")}
    response = requests.post(f"{service.api}/classify?wait=20", json=body, timeout=HTTP_SECONDS)

    document = response.json()
    assert (document["state"], document["filename"]) == ("SUCCESS", "cup.jpg")
    assert document["predictions"][0]["label"] == "espresso"
    assert document["timings_ms"]["download"] > 0


def test_the_first_tutorials_interface(service: RunningService, httpserver: HTTPServer) -> None:
    """`GET /classify?image_url=` waits and answers labels with scores."""
    httpserver.expect_request("/cup.jpg").respond_with_data(SAMPLE.read_bytes())
    url = httpserver.url_for("/cup.jpg")
    answer = service.get("/classify", params={"image_url": url}).json()

    assert answer["filename"] == "cup.jpg"
    assert next(iter(answer["labels"])) == "espresso"


def test_the_second_tutorials_interface(service: RunningService) -> None:
    """`POST /predict` waits and answers five rows."""
    with SAMPLE.open("rb") as stream:
        response = requests.post(
            f"{service.api}/predict", files={"image": stream}, timeout=HTTP_SECONDS
        )

    assert response.json()["success"] is True
    assert len(response.json()["predictions"]) == 5


@pytest.mark.parametrize("status", [404, 500])
def test_a_picture_that_cannot_be_had_fails(
    service: RunningService, httpserver: HTTPServer, status: int
) -> None:
    """The job ends with a problem, and the tutorial's route answers with its status."""
    httpserver.expect_request("/gone.jpg").respond_with_data("no", status=status)
    body = {"image_url": httpserver.url_for("/gone.jpg")}
    document = requests.post(
        f"{service.api}/classify?wait=20", json=body, timeout=HTTP_SECONDS
    ).json()
    compatible = service.get("/classify", params=body)

    assert document["state"] == "FAILURE"
    assert document["error"]["type"] == "/problems#download-status"
    assert compatible.status_code == 422


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: what\r\n\r\n", 501),
        (
            b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
        ),
        (
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data;boundary=b"
            b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
        ),
    ],
    ids=["request line", "long address", "transfer coding", "chunk size", "chunk of a form"],
)
def test_what_cannot_be_read_is_a_problem_too(
    service: RunningService, request_bytes: bytes, status: int
) -> None:
    """Also before the application sees the request."""
    port = int(service.environment["PETIOLE_API_PORT"])
    with socket.create_connection(("127.0.0.1", port), timeout=HTTP_SECONDS) as connection:
        connection.sendall(request_bytes)
        answer = connection.recv(65_536).decode()

    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "application/problem+json" in answer


def test_celery_users_get_the_same_document(service: RunningService) -> None:
    """`AsyncResult(task_id).get()` is what `GET /result/<task_id>` gives."""
    document = service.classify(wait=20).json()
    program = (
        "import sys, json; from tasks import app;"
        "print(json.dumps(app.AsyncResult(sys.argv[1]).get(timeout=10)))"
    )
    environment = {**service.environment, "REDIS_URL": service.redis_url}
    output = subprocess.check_output(
        [sys.executable, "-c", program, document["task_id"]], cwd=ROOT, env=environment
    )

    assert output.decode().strip() == service.get(f"/result/{document['task_id']}").text.strip()


def test_celery_finds_the_workers(service: RunningService) -> None:
    """`celery -A tasks inspect ping` from the repository root."""
    environment = {**service.environment, "REDIS_URL": service.redis_url}
    command = [sys.executable, "-m", "celery", "-A", "tasks", "inspect", "ping", "-t", "10"]
    output = subprocess.check_output(command, cwd=ROOT, env=environment).decode()

    assert output.count("pong") == 3


def test_the_processes_are_as_light_as_promised(service: RunningService) -> None:
    """Neither the API nor a child on a fast runtime has TensorFlow mapped; the API no NumPy."""
    libraries = {"api": ("tensorflow", "numpy", "openvino"), "worker": ("tensorflow",)}
    for name, heavy in libraries.items():
        part = service.part(name)
        for process in [part, *part.children(recursive=True)]:
            maps = Path(f"/proc/{process.pid}/maps").read_text()
            assert [library for library in heavy if f"/site-packages/{library}/" in maps] == []


def test_the_parent_of_the_children_has_one_thread(service: RunningService) -> None:
    """A fork copies one thread; locks that others held would stay locked in the children."""
    assert service.part("worker").num_threads() == 1


def test_nothing_is_left_in_redis_but_what_expires(service: RunningService) -> None:
    """No picture, no key without an end of ours, after the jobs of this module."""
    import redis

    service.classify(wait=20)
    with redis.Redis.from_url(service.redis_url, decode_responses=True) as client:
        ours = [key for key in client.scan_iter("petiole:*") if client.ttl(key) < 0]
        results = [key for key in client.scan_iter("celery-task-meta-*") if client.ttl(key) < 0]

    assert set(ours) <= {"petiole:counts", "petiole:format", "petiole:ready-members"}
    assert results == []


SHARED_PICTURES = Path(
    os.environ.get("PETIOLE_TEST_IMAGENET", ROOT.parent / "shared/data/imagenet")
)


@pytest.mark.skipif(not SHARED_PICTURES.exists(), reason=f"no photographs in {SHARED_PICTURES}")
def test_the_model_is_really_pre_trained(service: RunningService) -> None:
    """Top-1 of at least 0.85 on photographs of 99 classes, through the HTTP interface."""
    classes = SHARED_PICTURES.parent / "imagenet_classes.tsv"
    rows = [line.split("\t") for line in classes.read_text().splitlines()[1:]]
    index_of = {wordnet_id: int(index) for index, wordnet_id, _ in rows}
    pictures = sorted(SHARED_PICTURES.glob("n*.JPEG"))
    hits = 0
    for path in pictures:
        document = service.classify(path, wait=30, top_k=1).json()
        hits += document["predictions"][0]["class_index"] == index_of[path.name.partition("_")[0]]

    assert hits / len(pictures) >= 0.85
