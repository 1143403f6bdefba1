"""The API under its real server: slow and waiting clients, refusals, a stop, new processes."""

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
import requests

from tests.api_server import Server, Start
from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until

pytestmark = pytest.mark.server

HEAD = b"POST /classify HTTP/1.1\r\nHost: petiole\r\nContent-Type: image/jpeg\r\n"
CROWD = 30
RELOADS = 5
"""Every tenth once dropped a connection that was accepted, or kept alive, a moment before."""


def answer_of(connection: socket.socket) -> str:
    """Return what comes until the server closes."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()


def test_a_prefix_of_the_environment_is_every_addresses(start: Start) -> None:
    """`SCRIPT_NAME` is what other WSGI servers take; a proxy may hand on the whole path."""
    server = start(SCRIPT_NAME="/pictures/")
    instances = [server.get(f"{path}/result/x").json()["instance"] for path in ("", "/pictures")]

    assert instances == ["/pictures/result/x"] * 2


def test_slow_senders_hold_no_thread(start: Start) -> None:
    """Clients that stop in the head or in the body keep nobody else waiting."""
    server = start()
    heads = [server.connect(HEAD) for _ in range(CROWD)]
    bodies = [server.connect(HEAD + b"Content-Length: 9\r\n\r\nslow") for _ in range(CROWD)]
    begun = monotonic()

    assert server.get("/livez").ok
    assert server.post(picture()).status_code == 202
    assert monotonic() - begun < 2
    for connection in heads + bodies:
        connection.close()


def test_a_body_may_come_slowly(start: Start) -> None:
    """What is sent in pieces, also as chunks, is read like any other."""
    server = start()
    image = picture()
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (image[:100], image[100:])]
    connection = server.connect(HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
    for chunk in [*chunks, b"0\r\n\r\n"]:
        connection.sendall(chunk)
        Event().wait(0.1)

    assert answer_of(connection).startswith("HTTP/1.1 202 ")


def test_waiting_clients_hold_no_turn_and_all_hear_of_the_end(start: Start) -> None:
    """Far more clients may wait than threads answer."""
    server = start()
    task_id = server.post(picture()).json()["task_id"]
    with ThreadPoolExecutor(CROWD) as pool:
        waiting = [pool.submit(server.get, f"/result/{task_id}?wait=10") for _ in range(CROWD)]
        Event().wait(0.5)
        begun = monotonic()
        alive = server.get("/livez").ok
        seconds = monotonic() - begun
        server.end_job(task_id)
        answers = [each.result() for each in waiting]

    assert alive
    assert seconds < 2
    assert {200} == {answer.status_code for answer in answers}
    assert monotonic() - begun < 5


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\nslow"])
def test_a_request_that_is_not_whole_in_time_is_refused(start: Start, sent: bytes) -> None:
    """Nobody holds a connection for ever with a request that does not come."""
    answer = answer_of(start(PETIOLE_API_REQUEST_SECONDS="0.5").connect(sent))

    assert answer.startswith("HTTP/1.1 408 ")
    assert "application/problem+json" in answer


def test_a_connection_too_many_is_told_so(start: Start) -> None:
    """It is answered, and takes no place of those who are connected."""
    server = start(PETIOLE_API_MAX_CONNECTIONS="3")
    held = [server.connect() for _ in range(3)]
    answer = answer_of(server.connect())
    for connection in held:
        connection.close()

    assert answer.startswith("HTTP/1.1 503 ")
    assert "Retry-After" in answer
    assert wait_until(lambda: server.get("/livez").ok)


@pytest.mark.parametrize("pieces", [None, 40])
def test_an_upload_that_is_too_large_hears_why(start: Start, pieces: int | None) -> None:
    """The client sends all of it, or has not said how much comes, and still gets the answer."""
    upload = bytes(20_000_000)
    size = len(upload) // (pieces or 1)
    chunks = (upload[:size] for _ in range(pieces or 0))
    response = requests.post(
        f"{start().url}/classify",
        data=chunks if pieces else upload,
        headers={"Content-Type": "image/jpeg"},
        timeout=15,
    )

    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_stop_answers_what_was_asked(start: Start) -> None:
    """Who waits gets what is known, who is half through is heard out, and the end is prompt."""
    server = start()
    image = picture()
    task_id = server.post(image).json()["task_id"]
    half = server.connect(HEAD + b"Content-Length: %d\r\n\r\n" % len(image) + image[:100])
    idle = server.connect(b"GET /livez HTTP/1.1\r\nHost: petiole\r\n\r\n")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.get, f"/result/{task_id}?wait=30")
        Event().wait(0.5)
        begun = monotonic()
        server.process.send_signal(signal.SIGTERM)
        Event().wait(0.2)
        half.sendall(image[100:])
        answers = [answer_of(half), answer_of(idle)]

    assert waiting.result().status_code == 202
    assert [a.split(" ", 2)[1] for a in answers] == ["202", "200"]
    assert server.process.wait(timeout=10) == 0
    assert monotonic() - begun < 5


def test_new_processes_take_over_without_a_failed_request(start: Start) -> None:
    """SIGHUP brings new processes, and every client is answered meanwhile."""
    server = start(PETIOLE_API_PROCESSES="2")
    done = Event()

    def ask() -> list[int]:
        with requests.Session() as session:
            statuses = []
            while not done.is_set():
                statuses.append(session.get(f"{server.url}/livez", timeout=15).status_code)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for _ in range(RELOADS):
            before = children_of(server)
            os.kill(server.process.pid, signal.SIGHUP)
            wait_until(lambda b=before: len(c := children_of(server)) == 2 and not c & b)
        done.set()
        statuses = [status for each in asking for status in each.result()]

    assert {200} == set(statuses)


def children_of(server: Server) -> set[int]:
    """Return the ids of the processes that answer."""
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return {int(pid) for pid in listed.split()}


def test_requests_are_counted_over_all_processes(start: Start) -> None:
    """`/metrics` is the sum, whichever process answers it."""
    server = start(PETIOLE_API_PROCESSES="2")
    before = livez_count(server)
    for _ in range(20):
        server.get("/livez")

    assert livez_count(server) - before == 20


def livez_count(server: Server) -> float:
    """Return how many answered `/livez` are in the metrics."""
    name = 'petiole_http_requests_total{method="GET",route="/livez",status="200"}'
    lines = server.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)
