"""The whole service as one context: start, wait until it is ready, stop and leave nothing.

`petiole up` stays in it, `petiole demo` sends pictures through it.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import Any

import redis
import requests

from petiole.parts import Plan
from petiole.settings import UpSettings
from petiole.supervisor import POLL_SECONDS, Console, Supervisor

REDIS = "redis"
HTTP_SECONDS = 5.0
READY_POLL_SECONDS = 0.4
MAX_START_RESTARTS = 3


class StartError(Exception):
    """The service cannot be started; the message says why, in one line."""


class Service:
    """The started parts; `tick` keeps them running."""

    def __init__(self, plan: Plan, up: UpSettings, supervisor: Supervisor) -> None:
        """Hold what `started` made."""
        self.plan = plan
        self._up = up
        self._supervisor = supervisor
        self.interrupted = Event()

    def tick(self) -> None:
        """Look after the parts, then sleep a moment."""
        self._supervisor.check()
        self.interrupted.wait(POLL_SECONDS)

    def wait_until(self, check: Callable[[], bool], *, what: str) -> None:
        """Look after the parts until `check()` is true.

        Raises:
            StartError: not in time, a part keeps ending, or the user interrupted.
        """
        deadline = monotonic() + self._up.start_timeout_seconds
        while not check():
            self.interrupted.wait(READY_POLL_SECONDS)
            if self.interrupted.is_set():
                raise StartError("interrupted")
            if monotonic() > deadline:
                limit = self._up.start_timeout_seconds
                raise StartError(f"{what} is not ready after {limit:g} s; the log above says why")
            self._check_restarts()
            self.tick()

    def _check_restarts(self) -> None:
        for name, restarts in self._supervisor.restarts().items():
            if restarts >= MAX_START_RESTARTS:
                raise StartError(f"{name} keeps ending; the log above says why")


@contextmanager
def started(
    plan: Plan, up: UpSettings, console: Console, *, handle_signals: bool = True
) -> Iterator[Service]:
    """Start every part, give the ready service, and stop every part in the end.

    Raises:
        StartError: a port is taken, or a part does not become ready.
    """
    check_ports(plan)
    supervisor = Supervisor(console, {**os.environ, **plan.environment})
    service = Service(plan, up, supervisor)
    if handle_signals:
        _stop_on_signals(service, supervisor)
    try:
        _start(service, supervisor)
        yield service
    finally:
        console.write("petiole", "stopping")
        names = [part.name for part in plan.parts if part.name != REDIS]
        supervisor.stop(names, timeout_seconds=up.stop_timeout_seconds)
        # Last: the others hand their unfinished work back to it.
        supervisor.stop([REDIS], timeout_seconds=up.stop_timeout_seconds)
        console.write("petiole", "stopped")


def _start(service: Service, supervisor: Supervisor) -> None:
    plan = service.plan
    for part in plan.parts:
        supervisor.start(part)
        if part.name == REDIS:
            url = plan.environment["REDIS_URL"]
            service.wait_until(lambda url=url: redis_answers(url), what=REDIS)  # type: ignore[misc]
    service.wait_until(lambda: is_ready(plan.api_url), what="the API or a worker")
    service.wait_until(lambda: answers(f"{plan.flower_url}/healthcheck"), what="Flower")


def _stop_on_signals(service: Service, supervisor: Supervisor) -> None:
    def interrupt(*_: Any) -> None:
        supervisor.hurry = service.interrupted.is_set()
        service.interrupted.set()

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def check_ports(plan: Plan) -> None:
    """Check that every port is free.

    Raises:
        StartError: names the part, the port and the setting to change.
    """
    for name, (setting, port) in plan.ports.items():
        if not port_is_free(port):
            message = f"port {port} for {name} is taken; set {setting} to a free one"
            raise StartError(message)


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(api_url: str) -> bool:
    """Tell whether the API can classify and a download worker has announced itself."""
    try:
        response = requests.get(f"{api_url}/readyz", timeout=HTTP_SECONDS)
    except requests.RequestException:
        return False
    return response.ok and bool(response.json()["downloaders"])


def answers(url: str) -> bool:
    """Tell whether a GET of `url` is answered with 200."""
    try:
        return requests.get(url, timeout=HTTP_SECONDS).ok
    except requests.RequestException:
        return False


def redis_answers(url: str) -> bool:
    """Tell whether a Redis at `url` answers PING; False also while it loads its file."""
    try:
        return bool(redis.Redis.from_url(url, socket_timeout=HTTP_SECONDS).ping())
    except redis.RedisError:
        return False
