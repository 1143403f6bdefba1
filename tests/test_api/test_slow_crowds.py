"""Crowds that send slowly, and large: what others notice, and what they may hold."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from benchmarks.slow_senders import spooled_bytes
from tests.api_server import Server, Start
from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until

pytestmark = pytest.mark.server

HEAD = b"POST /classify HTTP/1.1\r\nHost: petiole\r\nContent-Type: image/jpeg\r\n"
BULK = b"POST /bulk HTTP/1.1\r\nHost: petiole\r\nContent-Type: application/zip\r\n"
LENGTH = b"Content-Length: 9000000\r\n\r\n"
SLOW = (HEAD, HEAD + LENGTH, BULK, BULK + LENGTH)
CROWD = 200
LARGE, LARGE_BYTES = 20, 2_000_000
OWN_BYTES = 100_000
"""Of files that gunicorn keeps for itself."""
ASKED = 20


@contextmanager
def crowd(server: Server) -> Iterator[list[socket.socket]]:
    """Hold connections that have begun a head or a body, of a picture or of many."""
    with ExitStack() as stack:
        sent = (SLOW[number % len(SLOW)] for number in range(CROWD))
        yield [stack.enter_context(server.connect(each)) for each in sent]


def served(server: Server, crowd: list[socket.socket]) -> list[int]:
    """Ask as an ordinary client while each of a crowd sends another byte; returns the statuses."""
    statuses = []
    for number in range(ASKED):
        for connection in crowd[number::ASKED]:
            connection.send(b"x")
        statuses += [server.get("/livez").status_code, server.post(picture()).status_code]
    return statuses


def test_a_slow_crowd_takes_nothing_from_others(start: Start) -> None:
    """Each request of an ordinary client is answered, and next to nothing is held for the slow."""
    server = start()
    (process,) = psutil.Process(server.process.pid).children()
    server.post(picture())
    memory = process.memory_info().rss
    with crowd(server) as connections:
        statuses = served(server, connections)
        grown, spooled = process.memory_info().rss - memory, spooled_bytes(process)

    assert statuses == [200, 202] * ASKED
    assert grown < 20_000_000
    assert spooled < OWN_BYTES


def test_large_bodies_that_stop_are_kept_on_disk_and_not_for_ever(start: Start) -> None:
    """What came of them is in files, no byte more than was sent, until their time is over."""
    server = start(PETIOLE_API_REQUEST_SECONDS="8")
    (process,) = psutil.Process(server.process.pid).children()
    server.post(picture())
    memory = process.memory_info().rss
    with ExitStack() as stack:
        for _ in range(LARGE):
            connection = stack.enter_context(server.connect(HEAD + LENGTH))
            connection.sendall(bytes(LARGE_BYTES))
        wait_until(lambda: spooled_bytes(process) > LARGE * LARGE_BYTES * 0.9, seconds=8)
        grown, status = process.memory_info().rss - memory, server.get("/livez").status_code
        most = spooled_bytes(process)
        wait_until(lambda: spooled_bytes(process) < LARGE_BYTES, seconds=30)

    assert status == 200
    assert grown < LARGE * LARGE_BYTES / 2
    assert most <= LARGE * LARGE_BYTES + OWN_BYTES
