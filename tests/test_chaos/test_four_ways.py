"""Polling, holding on, a stream of events and webhooks tell one story, whatever is killed.

The real service of the fault harness: Redis, a classify worker, a download worker, the API.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import requests

from chaos.faults import Faults
from chaos.layout import Layout
from chaos.pictures import drawn
from chaos.service import OURS
from chaos.stack import Stack
from tasks import signatures
from tests.conftest import picture
from tests.test_api.test_events import address, told

pytestmark = pytest.mark.end_to_end

SEED = 11
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of this test alone
BATCH = 14
WORK_SECONDS = 0.25
PAUSE_SECONDS = 1.3
VICTIMS = ("child", "worker", "child", "redis", "downloader", "child", "api", "child")
PATIENCE_SECONDS = 40.0
ALL_WAYS = {"poll", "wait", "events", "webhook"}

Told = Callable[[str, str, Any], None]
"""Takes a way, a task id, and the document that was told."""


class Story:
    """What was told of each task, by each way; an end that is told twice must be the same."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.told: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self.over = Event()

    def tell(self, way: str, task_id: str, document: Any) -> None:
        """Take the document of an end."""
        self.told[task_id][way].append(document)

    def has(self, way: str, task_ids: list[str]) -> bool:
        """Tell whether a way has told the end of all of these."""
        return all(way in self.told[task_id] for task_id in task_ids)


def asked(url: str, headers: dict[str, str] | None = None, **options: Any) -> requests.Response:
    """GET an address; what cannot be reached is a response of status 0."""
    try:
        return requests.get(url, headers=headers, timeout=10, **options)
    except requests.RequestException:
        response = requests.Response()
        response.status_code = 0
        return response


def poll(api: str, task_ids: list[str], story: Story) -> None:
    """Ask for each result again and again, with the ETag of the answer before."""
    tags: dict[str, str] = {}
    while not story.over.is_set() and not story.has("poll", task_ids):
        for task_id in [each for each in task_ids if "poll" not in story.told[each]]:
            tag = {"If-None-Match": tags[task_id]} if task_id in tags else {}
            response = asked(f"{api}/result/{task_id}", tag)
            tags[task_id] = response.headers.get("ETag", tags.get(task_id, '""'))
            assert response.status_code in {0, 200, 202, 304, 503}
            if response.status_code == 200:
                story.tell("poll", task_id, response.json())
        story.over.wait(0.1)


def hold_on(api: str, task_id: str, story: Story) -> None:
    """Ask for one result with a long wait, as often as it takes."""
    while not story.over.is_set() and not story.has("wait", [task_id]):
        response = asked(f"{api}/result/{task_id}?wait=5")
        assert response.status_code in {0, 200, 202, 503}
        if response.status_code == 200:
            story.tell("wait", task_id, response.json())
        elif response.status_code != 202:
            story.over.wait(0.2)


def listen(api: str, task_ids: list[str], story: Story) -> None:
    """Follow a stream, and go on where it broke off, until there is nothing to come."""
    last = ""
    while not story.over.is_set():
        response = asked(
            api + address(*task_ids), {"Last-Event-ID": last} if last else {}, stream=True
        )
        assert response.status_code in {0, 200, 204}
        if response.status_code == 204:
            return
        if response.status_code == 200:
            for event in events_of(response):
                assert event["event"] in {"state", "end"}, event
                last = event["id"]
                if event["event"] == "end":
                    story.tell("events", event["data"]["task_id"], event["data"])
        story.over.wait(0.2)


def events_of(response: requests.Response) -> Iterator[dict]:
    """Give the events of a stream until it ends or breaks off."""
    rest = b""
    with response:
        try:
            for piece in response.iter_content(None):
                *blocks, rest = (rest + piece).split(b"\n\n")
                yield from told(b"\n\n".join(blocks))
        except requests.RequestException:
            return


@contextmanager
def receiver(story: Story, rng: np.random.Generator) -> Iterator[str]:
    """Give the address of a server that takes webhooks, but for a few that it refuses at first."""
    keys, refused = signatures.keys_of(SECRET), set[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            id_, at = self.headers["webhook-id"], int(self.headers["webhook-timestamp"])
            signed = signatures.headers(id_, body, at=at, keys=keys)
            assert signed["webhook-signature"] == self.headers["webhook-signature"]
            is_refused = id_ not in refused and rng.random() < 0.2
            refused.add(id_)
            self.send_response(503 if is_refused else 204)
            self.send_header("Retry-After", "1")
            self.end_headers()
            if not is_refused:
                story.tell("webhook", id_.removeprefix("msg_"), json.loads(body)["data"])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/told"
        server.shutdown()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A started service that may tell loopback."""
    settings = {
        "PETIOLE_TASKS_WEBHOOK_SECRET": SECRET,
        "PETIOLE_TASKS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32",
        "PETIOLE_TASKS_WEBHOOK_TOTAL_SECONDS": "2",
    }
    started = Stack(tmp_path, Layout(work_seconds=WORK_SECONDS, environment=settings), OURS)
    started.start()
    yield started
    assert started.stop() == []


def send(api: str, upload: bytes, key: str, **options: Any) -> str:
    """Send a picture until it is accepted, under a key that makes it one job."""
    headers = {"Content-Type": "image/png", "Idempotency-Key": key}
    for _ in range(200):
        try:
            response = requests.post(
                f"{api}/classify", data=upload, headers=headers, params=options, timeout=10
            )
        except requests.RequestException:
            Event().wait(0.1)
            continue
        if response.status_code == 202:
            return str(response.json()["task_id"])
        assert response.status_code == 503
        Event().wait(0.1)
    raise AssertionError("no picture is accepted any more")


def send_batch(api: str, url: str, name: str, rng: np.random.Generator) -> list[str]:
    """Send sound pictures, a broken one, and one that nobody waits for when its turn comes."""
    ids = [send(api, drawn(rng).upload, f"{name}{n}", webhook_url=url) for n in range(BATCH)]
    broken = picture(size=(400, 300))[:700]
    late = {"deadline": 0.3, "priority": "low"}
    ids.append(send(api, broken, f"{name} broken", webhook_url=url))
    ids.append(send(api, drawn(rng).upload, f"{name} late", webhook_url=url, **late))
    return ids


def kill(stack: Stack, faults: Faults, victim: str) -> None:
    """Kill one part, or a child; Redis once its file is on the disk, as far as anybody can tell."""
    if victim == "child":
        faults.kill_child()
        return
    if victim == "redis":
        with stack.redis() as client:
            client.execute_command("WAITAOF", 1, 0, 2000)
    faults.kill(victim)


def test_four_ways_to_wait_tell_one_story(stack: Stack) -> None:
    """Every end is told by each of them, and always as the same document."""
    rng = np.random.default_rng(SEED)
    story, faults = Story(), Faults(stack, np.random.default_rng(SEED))
    with receiver(story, np.random.default_rng(SEED)) as url, ThreadPoolExecutor(80) as pool:
        listeners: list[Future[None]] = []
        task_ids: list[str] = []
        for name, victims in (("first", VICTIMS[:4]), ("second", VICTIMS[4:])):
            batch = send_batch(stack.api, url, name, rng)
            task_ids += batch
            listeners += [pool.submit(way, stack.api, batch, story) for way in (poll, listen)]
            listeners += [pool.submit(hold_on, stack.api, each, story) for each in batch]
            for victim in victims:
                kill(stack, faults, victim)
                story.over.wait(PAUSE_SECONDS)
        wait_until_all_is_told(story, task_ids, listeners)
        for each in listeners:
            each.result()

    stories = {t: {way: told_ for way, told_ in story.told[t].items()} for t in task_ids}
    silent = {t: ALL_WAYS - set(ways) for t, ways in stories.items() if set(ways) != ALL_WAYS}
    differing = [t for t, ways in stories.items() if len(versions(ways)) != 1]
    assert (silent, differing) == ({}, [])
    assert set(story.told) == set(task_ids)
    states = {json.loads(versions(ways).pop())["state"] for ways in stories.values()}
    assert states == {"SUCCESS", "FAILURE", "REVOKED"}


def versions(ways: dict[str, list[Any]]) -> set[str]:
    """Return what all ways told of one task, without repetitions."""
    return {json.dumps(document, sort_keys=True) for each in ways.values() for document in each}


def wait_until_all_is_told(
    story: Story, task_ids: list[str], listeners: list[Future[None]]
) -> None:
    """Wait for the last end by the last way, but not for ever."""
    for _ in range(int(PATIENCE_SECONDS / 0.1)):
        failed = any(each.done() and each.exception() for each in listeners)
        if failed or all(story.has(way, task_ids) for way in ALL_WAYS):
            break
        story.over.wait(0.1)
    story.over.set()
