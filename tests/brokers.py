"""Real brokers as a test starts them: RabbitMQ, and Redis in each way that it is reached.

Each listens on loopback alone, and can be killed and started again with what it has on disk.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import pytest
import redis

from chaos.rabbitmq import RabbitMQ
from petiole import parts
from tests.conftest import free_port

MASTER = "petiole"
USER, PASSWORD = "shop", "p#ss/w?rd@1"
DEFAULT = "user default on >unused ~* &* +@all"
"""Redis 7.0 reads its file as this user: one that is off forgets every transaction in it."""
START_SECONDS = 60.0


def program(name: str, *, package: str) -> str:
    """Return where a program is; skip at home, and fail in CI, where it is not installed."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        message = f"there is no {name}: apt-get install {package}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found


@dataclass
class Server:
    """One program of a broker."""

    command: Sequence[str]
    folder: Path
    answers: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=os.environ | self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((self.folder / "output").read_text()[-2000:])
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a fault does."""
        if self.process is not None:
            started = psutil.Process(self.process.pid)
            for each in (*started.children(recursive=True), started):
                each.kill()
            self.process.wait(timeout=30)
            self.process = None

    @contextmanager
    def running(self) -> Iterator["Server"]:
        """Run it until the block ends."""
        try:
            self.start()
            yield self
        finally:
            self.kill()


@dataclass(frozen=True)
class Broker:
    """What a service is told, and what a fault takes away and gives back.

    `serves_again` starts what was killed; behind Sentinels another server has its place meanwhile.
    """

    settings: Mapping[str, str]
    main: Server
    serves_again: Callable[[], object]
    is_replaced: bool = False


@contextmanager
def rabbitmq(folder: Path) -> Iterator[Broker]:
    """Run one node of RabbitMQ, its port mapper, and a Redis beside them for the job records."""
    program("rabbitmq-server", package="rabbitmq-server")
    program("epmd", package="erlang-base")
    folder.mkdir(parents=True, exist_ok=True)
    broker = RabbitMQ(folder)
    mapper, node = (
        Server(part.command, folder / part.name, partial(_listens, port), part.environment)
        for part, port in broker.parts()
    )
    with _redis(folder / "redis") as beside, mapper.running(), node.running():
        yield Broker({**beside.settings, "CELERY_BROKER_URL": broker.url}, node, node.start)


@contextmanager
def socket_of_redis(folder: Path) -> Iterator[Broker]:
    """Run a server that listens at a socket of the file system alone, as `unix://`."""
    place = folder / "s"
    url = f"unix://{place}?db=2"
    with _server(folder / "data", url, "--port", "0", "--unixsocket", str(place)) as server:
        yield Broker({"REDIS_URL": url}, server, server.start)


@contextmanager
def tls(folder: Path) -> Iterator[Broker]:
    """Run a server with TLS and a user whose password is odd; its database is the seventh."""
    executable = program("redis-server", package="redis-server")
    authority, certificate, key = certificates(folder)
    users = folder / "users.acl"
    users.write_text(f"user {USER} on >{PASSWORD} ~* &* +@all\n{DEFAULT}\n")
    port = free_port()
    url = f"rediss://{USER}@127.0.0.1:{port}/7?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={authority}"
    settings = {"REDIS_URL": url, "REDIS_PASSWORD": PASSWORD}
    options = [
        *("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
        *("--tls-ca-cert-file", str(authority)),
        *("--aclfile", str(users)),
    ]
    asked = f"rediss://127.0.0.1:{port}/7?ssl_ca_certs={authority}"
    with _server(folder / "data", asked, *options, executable=executable) as server:
        yield Broker(settings, server, server.start)


@contextmanager
def sentinels(folder: Path) -> Iterator[Broker]:
    """Run a master, a replica of it, and three Sentinels that make that the master in its place."""
    ports = [free_port() for _ in range(5)]
    master_port, replica_port, *watching = ports
    urls = [f"redis://127.0.0.1:{port}/0" for port in ports]
    named = ";".join(f"sentinel://127.0.0.1:{port}/4" for port in watching)
    replica_of = ("--replicaof", f"127.0.0.1 {master_port}")
    with ExitStack() as stack:
        master = stack.enter_context(_server(folder / "master", urls[0], "--port", ports[0]))
        stack.enter_context(
            _server(folder / "replica", urls[1], "--port", str(replica_port), *replica_of)
        )
        _wait(lambda: redis.Redis.from_url(urls[1]).info()["master_link_status"] == "up")
        for port, url in zip(watching, urls[2:], strict=True):
            stack.enter_context(_sentinel(folder / f"sentinel-{port}", port, master_port, url))
        first = redis.Redis.from_url(urls[2])
        _wait(lambda: _known(first) == ("1", "2"))
        settings = {"REDIS_URL": f"{named}?master_name={MASTER}"}
        promoted = redis.Redis.from_url(urls[1])
        yield Broker(settings, master, lambda: _wait(lambda: _leads(promoted)), is_replaced=True)


def _leads(server: redis.Redis) -> bool:
    """Tell whether a server is a master."""
    return bool(server.info()["role"] == "master")


def _known(sentinel: redis.Redis) -> tuple[str, str]:
    """Return how many replicas and other Sentinels one knows."""
    said = sentinel.sentinel_master(MASTER)
    return str(said["num-slaves"]), str(said["num-other-sentinels"])


def _sentinel(
    folder: Path, port: int, master_port: int, url: str
) -> AbstractContextManager[Server]:
    folder.mkdir(parents=True)
    configuration = folder / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\n"
        f"sentinel monitor {MASTER} 127.0.0.1 {master_port} 2\n"
        f"sentinel down-after-milliseconds {MASTER} 1000\n"
        f"sentinel failover-timeout {MASTER} 3000\n"
    )
    (executable, *_) = parts.redis(port, folder).command
    command = (executable, str(configuration), "--sentinel")
    return Server(command, folder, lambda: _pings(url)).running()


@contextmanager
def _redis(folder: Path) -> Iterator[Broker]:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/3"
    with _server(folder, url, "--port", str(port)) as server:
        yield Broker({"REDIS_URL": url}, server, server.start)


@contextmanager
def _server(folder: Path, url: str, *options: object, executable: str = "") -> Iterator[Server]:
    """Run a server that keeps what it is told on disk; answered means that it says anything."""
    (brought, *_) = parts.redis(0, folder).command
    kept = (
        "--bind",
        "127.0.0.1",
        "--appendonly",
        "yes",
        "--maxmemory-policy",
        "noeviction",
    )
    command = (executable or brought, "--dir", str(folder), *kept, *map(str, options))
    with Server(command, folder, lambda: _pings(url)).running() as server:
        yield server


def _pings(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.AuthenticationError:
        return True  # It is there, and asks who we are.
    except redis.RedisError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not check():
        if time.monotonic() > deadline:
            pytest.fail("the broker is not as it should be")
        time.sleep(0.1)


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Make a certificate authority, and a certificate of 127.0.0.1 with its key."""
    authority, authority_key = folder / "ca.pem", folder / "ca.key"
    request, certificate, key = folder / "request", folder / "server.pem", folder / "server.key"
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    signed = ("openssl", "x509", "-req", "-days", "2", "-CAcreateserial")
    for command in (
        (*new, "-x509", "-subj", "/CN=CA", "-keyout", authority_key, "-out", authority),
        (*new[:-2], "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request),
        (
            *(*signed, "-in", request, "-CA", authority, "-CAkey", authority_key),
            *("-extfile", extensions, "-out", certificate),
        ),
    ):
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return authority, certificate, key


KINDS: Mapping[str, Callable[[Path], AbstractContextManager[Broker]]] = {
    "rabbitmq": rabbitmq,
    "socket": socket_of_redis,
    "tls": tls,
    "sentinels": sentinels,
}
