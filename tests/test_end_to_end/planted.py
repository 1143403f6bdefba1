"""Secrets with a mark in each, a service that has them all, and what is written anywhere."""

import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil
import redis
import requests
from pytest_httpserver import HTTPServer

from petiole import redis_login
from tasks import redis_users
from tasks.settings import EMBEDDED_ADDRESS
from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import (
    HTTP_SECONDS,
    RunningService,
    colour_service,
    command_of,
    wait_until,
)

FLOWER, WEBHOOK, IMAGES = "password-of-flower", "webhooks", "images"
BUCKET, SESSION, PICTURE_URL, WEBHOOK_URL = "bucket", "session-token", "picture-url", "hook-url"
API_KEY, COOKIE, DIGEST, OWNER = "api-key", "cookie", "digest-of-key", "owner-of-key"
PLANTED = (FLOWER, WEBHOOK, IMAGES, BUCKET, SESSION, PICTURE_URL, WEBHOOK_URL)

FOR_ITS_OWNER = {"service.json", EMBEDDED_ADDRESS, "redis-passwords"}
"""Files of the state directory with passwords of Redis, which commands on this machine need."""


def mark(name: str) -> str:
    """Return what is planted in a secret: long enough for nothing to have it by chance."""
    return f"MARK{name}&zq+7"


def encoded(secret: bytes, length: int) -> str:
    """Return the base64 of a secret, made longer with zeros."""
    return b64encode(secret.ljust(length, b"0")).decode()


def forms(secret: str) -> set[bytes]:
    """Return how a secret may be written: as it is, in a URL, in JSON, in hex, in base64."""
    plain = secret.encode()
    shifted = (b64encode(b"0" * n + plain + b"0" * 3)[4:] for n in range(3))
    # The last characters of base64 depend on what follows.
    texts = {secret, quote(secret, safe=""), secret.replace("&", "&amp;"), plain.hex()}
    texts.add(secret.replace("&", "\\u0026"))
    return {text.encode() for text in texts} | {each[: len(plain) + 2] for each in shifted}


@dataclass
class Written:
    """Everything that was written, by kind and place; and the secrets that must not be there."""

    secrets: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def add(self, kind: str, place: str, content: bytes | str) -> None:
        """Add what somebody may read."""
        text = content if isinstance(content, bytes) else content.encode()
        self.kinds.setdefault(kind, {})[place] = text

    def leaks(self, kind: str, *, but: tuple[str, ...] = ()) -> list[str]:
        """Return which secrets stand where, in a kind of places."""
        return [
            f"{name} in {place}"
            for name, secret in self.secrets.items()
            if name not in but
            for place, content in self.kinds[kind].items()
            if any(form in content for form in forms(secret))
        ]


@dataclass
class Planted:
    """A service whose every secret has a mark."""

    service: RunningService
    redis: redis.Redis
    written: Written
    key: str = ""

    def run(self, place: str, *command: str, **further: str) -> str:
        """Run a command with the service's settings, and add what it says; return that."""
        environment = {**self.service.environment, "PETIOLE_KEY": self.key, **further}
        said = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            timeout=120,
            check=False,
        )
        if place:
            self.written.add("commands", place, said.stdout + said.stderr)
        return said.stdout.decode()

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Ask the API with the key, and add the whole answer."""
        headers = {"Authorization": f"Bearer {self.key}"} | arguments.pop("headers", {})
        address = f"{self.service.api}{path}"
        answer = requests.request(
            method, address, headers=headers, timeout=HTTP_SECONDS, **arguments
        )
        self.add_answer("answers", f"{method} {path} {arguments.get('json')}", answer)
        return answer

    def add_answer(self, kind: str, place: str, answer: requests.Response) -> None:
        """Add an answer with its headers."""
        text = f"{answer.status_code} {answer.headers}\n".encode()
        self.written.add(kind, place, text + answer.content)


def settings() -> dict[str, str]:
    """Return every setting that holds a secret, with its mark."""
    return {
        "PETIOLE_API_REQUIRE_KEYS": "true",
        "FLOWER_BASIC_AUTH": f"tester:{mark(FLOWER)}",
        "PETIOLE_TASKS_WEBHOOK_SECRET": f"whsec_{encoded(mark(WEBHOOK).encode(), 32)}",
        "PETIOLE_TASKS_IMAGE_STORE_KEY": encoded(mark(IMAGES).encode(), 32),
        "PETIOLE_TASKS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32",
        "PETIOLE_TASKS_LOG_FORMAT": "json",
        "PETIOLE_UP_CLASSIFY_CHILDREN": "1",
        "PETIOLE_UP_BULK": "false",
        "AWS_ACCESS_KEY_ID": "AKIAPETIOLE",
        "AWS_SECRET_ACCESS_KEY": mark(BUCKET),
        "AWS_SESSION_TOKEN": mark(SESSION),
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def planted(models: str, state: Path, original: dict[str, str]) -> Iterator[Planted]:
    """Run a service with all of these settings; the passwords of Redis are random ones."""
    with colour_service(models, state, original, **settings()) as running:
        folder = redis_login.directory_of(running.state)
        passwords = {name: (folder / name).read_text().strip() for name in redis_users.NAMES}
        written = Written({name: mark(name) for name in PLANTED} | passwords)
        with redis.Redis.from_url(running.redis_url) as client:
            yield Planted(running, client, written)


def make_keys(planted: Planted) -> None:
    """Make an operator's key, log a browser in, and note what is secret of both."""
    scopes = [
        word for scope in ("admin", "classify", "bulk", "models") for word in ("--scope", scope)
    ]
    planted.key = planted.run("", "petiole", "keys", "create", "ana", *scopes).strip()
    session = requests.Session()
    answer = session.post(
        f"{planted.service.api}/login",
        data={"key": planted.key},
        headers={"Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
        timeout=HTTP_SECONDS,
    )
    assert answer.status_code == 303
    kept = planted.redis.hgetall(f"petiole:key:{planted.key[4:16]}")
    (cookie,) = session.cookies.values()
    planted.written.secrets |= {
        API_KEY: planted.key.partition(".")[2],
        COOKIE: cookie[-24:],
        DIGEST: kept[b"digest"].decode(),
        OWNER: kept[b"owner"].decode(),
    }
    page = session.get(f"{planted.service.api}/", timeout=HTTP_SECONDS)
    planted.add_answer("answers", "the page of a browser that is logged in", page)


def send(planted: Planted, server: HTTPServer) -> None:
    """Send pictures that end in all ways, and ask for everything that there is to read."""
    server.expect_request("/hook").respond_with_data("", status=500)
    server.expect_request("/none.jpg").respond_with_data("", status=404)
    hook = server.url_for(f"/hook?token={quote(mark(WEBHOOK_URL), safe='')}")
    token = quote(mark(PICTURE_URL), safe="")
    kind = {"Content-Type": "image/jpeg"}
    query = f"/classify?wait=20&webhook_url={quote(hook, safe='')}"
    sent = planted.ask("POST", query, data=picture(), headers=kind).json()
    planted.written.kinds["answers"].clear()  # That address is its own client's.
    planted.ask("POST", "/classify?wait=20", data=picture()[:500], headers=kind)
    planted.ask("POST", "/classify", data=b"no picture", headers=kind)
    for address in (server.url_for(f"/none.jpg?token={token}"), f"http://10.0.0.1/?t={token}"):
        answer = requests.post(
            f"{planted.service.api}/classify?wait=20",
            json={"image_url": address},
            headers={"Authorization": f"Bearer {planted.key}"},
            timeout=HTTP_SECONDS,
        )
        planted.add_answer("answers", f"an address {address[:20]}", answer)
    wait_until(lambda: any(request.path == "/hook" for request, _ in server.log))
    paths = ("/metrics", "/readyz", "/livez", "/jobs", "/admin", "/models", "/docs/", "/problems")
    for path in (*paths, "/openapi.json", f"/result/{sent['task_id']}", "/result/none", "/nowhere"):
        planted.ask("GET", path)
        planted.ask("GET", path, headers={"Accept": "text/html"})


def look_into_flower(planted: Planted) -> None:
    """Read Flower's pages and its API, those of each worker and task too."""
    auth = ("tester", mark(FLOWER))

    def shown(path: str) -> requests.Response:
        address = f"{planted.service.flower}{path}"
        answer = requests.get(address, auth=auth, timeout=HTTP_SECONDS)
        planted.add_answer("flower", path, answer)
        return answer

    workers = shown("/api/workers?refresh=1").json()
    tasks = shown("/api/tasks").json()
    assert workers
    assert tasks
    for path in ("/", "/workers", "/tasks", "/broker", "/api/queues/length", "/metrics"):
        shown(path)
    for worker in workers:
        assert "Config" in shown(f"/worker/{worker}").text
    for task in tasks:
        shown(f"/task/{task}")


def run_commands(planted: Planted) -> None:
    """Run what operators run, also where something is wrong: a password, an address, a key."""
    own = planted.service.redis_url
    wrong = own.replace("//operator:", "//operator:wrong")
    assert wrong != own
    nobody = own.replace(str(urlsplit(own).port), "1")
    bucket = f"https://u:{quote(mark(BUCKET), safe='')}@127.0.0.1:1/x?sig={quote(mark(SESSION))}"
    commands: list[tuple[tuple[str, ...], Mapping[str, str]]] = [
        (("petiole", "status"), {}),
        (("petiole", "doctor"), {"PETIOLE_MODELS_STORE_URL": bucket}),
        (("petiole", "keys", "list"), {}),
        (("petiole", "audit", "--json"), {}),
        (("petiole", "jobs"), {"REDIS_URL": wrong}),
        (("petiole", "keys", "list"), {"REDIS_URL": nobody}),
        (("petiole", "jobs"), {"PETIOLE_TASKS_IMAGE_STORE_KEY": mark(IMAGES)}),
        (("petiole", "up"), {}),
        (("celery", "-A", "tasks", "inspect", "conf"), {"REDIS_URL": own}),
    ]
    with ThreadPoolExecutor(4) as pool:
        done = [
            pool.submit(planted.run, f"{' '.join(words)} {number}", *words, **further)
            for number, (words, further) in enumerate(commands)
        ]
        for each in done:
            each.result()


def collect(planted: Planted) -> None:
    """Add the files, the arguments of all processes, and all that Redis has."""
    state = planted.service.state
    for file in (each for each in state.rglob("*") if each.is_file()):
        if file.name in FOR_ITS_OWNER or file.parent.name in FOR_ITS_OWNER:
            assert file.stat().st_mode & 0o077 == 0 or file.parent.stat().st_mode & 0o077 == 0
        else:
            place = file.relative_to(state)
            kind = "redis" if place.parts[0] == "redis" else "files"
            with suppress(FileNotFoundError):  # An upload whose job is over meanwhile.
                planted.written.add(kind, str(place), file.read_bytes())
    own = psutil.Process(planted.service.process.pid)
    for process in [own, *own.children(recursive=True)]:
        planted.written.add("arguments", str(process.pid), command_of(process))
    for name in planted.redis.scan_iter(count=1000):
        planted.written.add("redis", name.decode(), name + _content(planted.redis, name))
    planted.written.add("redis", "slow commands", repr(planted.redis.slowlog_get(1000)))


def _content(client: redis.Redis, name: bytes) -> bytes:
    reads = {
        b"string": lambda: client.get(name),
        b"hash": lambda: client.hgetall(name),
        b"list": lambda: client.lrange(name, 0, -1),
        b"set": lambda: client.smembers(name),
        b"zset": lambda: client.zrange(name, 0, -1, withscores=True),
        b"stream": lambda: client.xrange(name),
        b"none": lambda: None,  # Its time was over meanwhile.
    }
    return repr(reads[client.type(name)]()).encode()
