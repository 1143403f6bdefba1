"""Streams of events under the real server: no thread each, bounded, over stops and restarts."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic

import pytest
import requests

from tests.api_server import Server, Start
from tests.conftest import picture
from tests.test_api.test_events import address, said, told
from tests.test_api.test_server import CROWD
from tests.test_end_to_end.conftest import wait_until
from tests.test_tasks.test_notices import ENDED, store_of
from tests.test_tasks.test_notices import Server as Redis
from tests.test_tasks.test_notices import server as own_redis  # noqa: F401 - the fixture

pytestmark = pytest.mark.server


def stream(server: Server, *task_ids: str, last: str = "") -> requests.Response:
    """Open a stream and return it once it has begun."""
    headers = {"Last-Event-ID": last} if last else {}
    return requests.get(server.url + address(*task_ids), headers=headers, stream=True, timeout=20)


def one_by_one(response: requests.Response) -> Iterator[dict]:
    """Give the events of a stream as they come."""
    rest = b""
    with response:
        for piece in response.iter_content(None):
            *blocks, rest = (rest + piece).split(b"\n\n")
            yield from told(b"\n\n".join(blocks))


def whole(response: requests.Response) -> list[dict]:
    """Return all that a stream tells until it ends."""
    with response:
        return told(response.content)


def open_streams(server: Server) -> float:
    """Return how many streams the metrics count."""
    name = 'petiole_open_streams{route="/events"}'
    lines = server.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def post(server: Server) -> str:
    """Send a picture that no worker takes."""
    return str(server.post(picture()).json()["task_id"])


def test_streams_hold_no_thread_and_all_hear_of_the_end(start: Start) -> None:
    """Far more clients may have one than threads answer, and each is told of all its tasks."""
    server = start()
    ids = [post(server) for _ in range(3)]
    streams = [stream(server, *ids) for _ in range(CROWD)]
    begun = monotonic()
    alive = server.get("/livez").ok
    seconds = monotonic() - begun
    for task_id in ids:
        server.end_job(task_id)
    with ThreadPoolExecutor(CROWD) as pool:
        told_ends = [[e["event"] for e in all_] for all_ in pool.map(whole, streams)]

    assert alive
    assert seconds < 2
    assert [kinds.count("end") for kinds in told_ends] == [3] * CROWD
    assert wait_until(lambda: open_streams(server) == 0)


def test_a_running_task_is_told(start: Start) -> None:
    """Nobody is told of a claim: it is looked up, at once and then every second."""
    server = start()
    task_id = post(server)
    events = one_by_one(stream(server, task_id))
    waiting = next(events)
    server.job_store.claim(task_id, stage="classify")
    running = next(events)
    server.end_job(task_id)

    seen = [waiting, running, *events]
    assert [said(each)[2] for each in seen] == ["PENDING", "STARTED", "SUCCESS"]


def test_a_client_that_goes_away_leaves_its_place(start: Start) -> None:
    """A stream too many is refused with 503; there is room again at once."""
    server = start(PETIOLE_API_MAX_STREAMS="2")
    task_id = post(server)
    streams = [stream(server, task_id) for _ in range(3)]
    counted = open_streams(server)
    for each in streams:
        each.close()
    wait_until(lambda: open_streams(server) == 0)
    with stream(server, task_id) as again:
        pass

    assert [each.status_code for each in streams] == [200, 200, 503]
    assert (counted, again.status_code) == (2, 200)
    assert "Retry-After" in streams[2].headers


def test_a_stop_ends_streams_that_go_on_elsewhere(start: Start) -> None:
    """Promptly and whole; the next process tells what came since, and nothing twice."""
    server = start()
    ids = [post(server) for _ in range(2)]
    server.end_job(ids[0])
    response = stream(server, *ids)
    with ThreadPoolExecutor(1) as pool:
        hearing = pool.submit(whole, response)
        Event().wait(0.7)
        begun = monotonic()
        server.process.send_signal(signal.SIGTERM)
        before = hearing.result()
    assert server.process.wait(timeout=10) == 0
    assert monotonic() - begun < 5

    successor = start()
    successor.end_job(ids[1])
    after = whole(stream(successor, *ids, last=before[-1]["id"]))

    assert {said(each) for each in before} == {
        ("end", ids[0], "SUCCESS"),
        ("state", ids[1], "PENDING"),
    }
    assert [said(each) for each in after] == [("end", ids[1], "SUCCESS")]


def test_a_stream_outlives_redis(start: Start, own_redis: Redis) -> None:  # noqa: F811
    """It stays open while Redis is away, and tells what happens afterwards."""
    server = start(REDIS_URL=own_redis.url)
    ids = [post(server) for _ in range(2)]
    response = stream(server, *ids)
    with ThreadPoolExecutor(1) as pool:
        hearing = pool.submit(whole, response)
        Event().wait(0.5)
        own_redis.kill()
        Event().wait(2.0)
        opened_meanwhile = stream(server, *ids)
        own_redis.restart()
        for task_id in ids:
            store_of(own_redis).finish(task_id, ENDED)
        ends = [hearing.result(), whole(opened_meanwhile)]

    assert [[e["event"] for e in all_].count("end") for all_ in ends] == [2, 2]
