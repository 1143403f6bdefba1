"""The whole service as one context: start, wait until it is ready, stop and leave nothing.

`petiole up` stays in it, `petiole demo` sends pictures through it.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from api.settings import ApiSettings
from model_store import ModelStore, ModelStoreError
from model_store.errors import StoreUnavailableError
from model_store.settings import ModelSettings
from petiole import parts, probes, running, variables
from petiole.parts import Plan
from petiole.running import AlreadyRunningError
from petiole.settings import UpSettings
from petiole.supervisor import POLL_SECONDS, Console, Supervisor
from tasks.settings import EMBEDDED_REDIS_URL

REDIS = "redis"
READY_POLL_SECONDS = 0.4
BACKLOG = 2048
"""Connections that wait for the API to take them; gunicorn's own default."""

MAX_START_RESTARTS = 3
INSTALLABLE = "imagenet"


class StartError(Exception):
    """The service cannot be started; the message says why, in one line."""


class StartInterruptedError(StartError):
    """The user interrupted before the work was done."""


class Service:
    """The started parts; `tick` keeps them running."""

    def __init__(self, plan: Plan, up: UpSettings, supervisor: Supervisor) -> None:
        """Hold what `started` made."""
        self.plan = plan
        self.up = up
        self.supervisor = supervisor
        self._note: running.ServiceNote | None = None
        self.interrupted = Event()
        self.roll_asked = Event()

    def tick(self) -> None:
        """Look after the parts, then sleep a moment."""
        self.supervisor.check()
        if self._note is not None:
            self._announce(replace(self._note, processes=self.supervisor.processes()))
        self.interrupted.wait(POLL_SECONDS)

    def announce(self) -> None:
        """Tell other commands where the service is, from now on."""
        self._announce(note_of(self.plan, self.supervisor.processes()))

    @property
    def rolls(self) -> int:
        """Return how often it was rolled, or that was tried."""
        return 0 if self._note is None else self._note.rolls

    def announce_roll(self, failure: str) -> None:
        """Tell other commands how a roll ended; no failure is an empty text."""
        self.roll_asked.clear()
        assert self._note is not None  # noqa: S101 - only a ready service rolls
        self._announce(replace(self._note, rolls=self._note.rolls + 1, last_roll=failure))

    def _announce(self, note: running.ServiceNote) -> None:
        if note != self._note:
            self._note = note
            running.write(self.up.state_directory, note)

    def check_interrupted(self) -> None:
        """Check that the user still wants what is being done.

        Raises:
            StartInterruptedError: Ctrl-C or SIGTERM came.
        """
        if self.interrupted.is_set():
            raise StartInterruptedError("interrupted")

    def wait_until(self, what_is_missing: Callable[[], str], *, what: str) -> None:
        """Look after the parts until `what_is_missing()` is empty.

        Raises:
            StartError: not in time, a part keeps ending, or the user interrupted.
        """
        limit = self.up.start_timeout_seconds
        deadline = monotonic() + limit
        while missing := what_is_missing():
            self.interrupted.wait(READY_POLL_SECONDS)
            self.check_interrupted()
            if monotonic() > deadline:
                raise StartError(f"{what} is not ready after {limit:g} s: {missing}")
            self._check_restarts()
            self.tick()

    def _check_restarts(self) -> None:
        for name, restarts in self.supervisor.restarts().items():
            if restarts >= MAX_START_RESTARTS:
                last_line = self.supervisor.last_line(name)
                raise StartError(f"{name} keeps ending; the last line of its log: {last_line}")


@contextmanager
def started(plan: Plan, up: UpSettings, console: Console) -> Iterator[Service]:
    """Start every part, give the ready service, and stop every part in the end.

    From then on Ctrl-C and SIGTERM interrupt the service.

    Raises:
        StartError: another service runs in the state directory, a port is taken, or a part does
            not become ready.
    """
    with _locked(plan, up):
        check_ports(plan)
        with _listening() as door, _started(plan, door, up, console) as service:
            yield service


@contextmanager
def _listening() -> Iterator[socket.socket]:
    """Give the socket of the API: it outlives the processes that take connections from it."""
    settings = ApiSettings()
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        door = socket.create_server((host, settings.port), family=family, backlog=BACKLOG)
    except OSError as exc:
        address = f"PETIOLE_API_HOST {host} and PETIOLE_API_PORT {settings.port}"
        raise StartError(f"nothing can listen on {address}: {exc.strerror}") from exc
    with door:
        yield door


@contextmanager
def _locked(plan: Plan, up: UpSettings) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(running.locked(up.state_directory, plan.api_url))
        except AlreadyRunningError as exc:
            raise StartError(str(exc)) from exc
        except OSError as exc:
            raise _unwritable(up, exc) from exc
        yield


@contextmanager
def _started(
    plan: Plan, door: socket.socket, up: UpSettings, console: Console
) -> Iterator[Service]:
    plan = parts.listening_on(plan, door.fileno())
    supervisor = Supervisor(console, plan.environment)
    service = Service(plan, up, supervisor)
    _hear_signals(service, supervisor)
    try:
        _start(service, supervisor)
        service.announce()
        yield service
    finally:
        running.remove(up.state_directory)
        door.close()
        console.write("petiole", "stopping")
        names = [part.name for part in plan.parts if part.name != REDIS]
        supervisor.stop(names, timeout_seconds=up.stop_timeout_seconds)
        # Last: the others hand their unfinished work back to it.
        supervisor.stop([REDIS], timeout_seconds=up.stop_timeout_seconds)
        console.write("petiole", "stopped")


def note_of(plan: Plan, processes: Mapping[str, int]) -> running.ServiceNote:
    """Return the note of the service that this process runs."""
    environment = plan.environment
    broker = environment.get("CELERY_BROKER_URL") or environment["REDIS_URL"]
    redis = broker if broker.startswith(("redis://", "rediss://")) else EMBEDDED_REDIS_URL
    redis = environment.get("REDIS_URL") or redis
    return running.ServiceNote(
        process=os.getpid(),
        began=running.began(os.getpid()),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        api_url=plan.api_url,
        flower_url=plan.flower_url,
        broker_url=broker,
        result_backend=environment.get("CELERY_RESULT_BACKEND") or redis,
        job_store_url=environment.get("PETIOLE_TASKS_JOB_STORE_URL") or redis,
        image_store_url=environment["PETIOLE_TASKS_IMAGE_STORE_URL"],
        model_store_url=environment["PETIOLE_MODELS_STORE_URL"],
        processes=processes,
    )


def _start(service: Service, supervisor: Supervisor) -> None:
    plan = service.plan
    for part in plan.parts:
        supervisor.start(part)
        if part.name == REDIS:
            url = plan.environment["REDIS_URL"]
            service.wait_until(lambda url=url: probes.no_redis_at(url), what=REDIS)  # type: ignore[misc]
    service.wait_until(lambda: probes.missing_at(plan.api_url), what="the service")
    service.wait_until(lambda: probes.no_answer_of(f"{plan.flower_url}/healthcheck"), what="Flower")


def _hear_signals(service: Service, supervisor: Supervisor) -> None:
    def interrupt(*_: Any) -> None:
        supervisor.hurry = service.interrupted.is_set()
        service.interrupted.set()

    def roll(*_: Any) -> None:
        service.roll_asked.set()

    # A terminal sends SIGHUP when it is closed; whoever has none means what daemons mean by it.
    has_terminal = any(os.isatty(descriptor) for descriptor in (0, 1, 2))
    signal.signal(signal.SIGHUP, interrupt if has_terminal else roll)
    signal.signal(running.ROLL, roll)
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def planned(up: UpSettings) -> Plan:
    """Return what to start, after a look at what each part would refuse.

    Raises:
        StartError: the model or the state directory is not there; says why.
    """
    for settings in variables.all_settings():
        settings()
    check_model()
    try:
        return parts.plan(up, os.environ)
    except OSError as exc:
        raise _unwritable(up, exc) from exc


def _unwritable(up: UpSettings, exc: OSError) -> StartError:
    return StartError(
        f"PETIOLE_UP_STATE_DIRECTORY is {up.state_directory}, which cannot be written to:"
        f" {exc.strerror}"
    )


def check_model() -> None:
    """Check that the store has the model that classifies when a client names none.

    A bucket that cannot be reached is no reason to give up: it may start after us.

    Raises:
        StartError: it has not; says where it was looked for and what to do.
    """
    settings = ModelSettings()
    url, name = parts.absolute(settings.store_url), settings.default_model
    if parts.is_path(url) and not Path(url).is_dir():
        raise StartError(f"the model store {url} does not exist; {_remedy(name)}")
    try:
        ModelStore.of(settings).resolve(name)
    except StoreUnavailableError:
        return
    except ModelStoreError as exc:
        message = f"PETIOLE_MODELS_DEFAULT_MODEL is not in {url}: {exc}; {_remedy(name)}"
        raise StartError(message) from exc


def _remedy(model: str) -> str:
    if model == INSTALLABLE:
        first = f"run `petiole models install {INSTALLABLE}`"
    else:
        first = f"publish {model!r} or set PETIOLE_MODELS_DEFAULT_MODEL"
    return f"{first}, or set PETIOLE_MODELS_STORE_URL to the store that has it"


def check_ports(plan: Plan) -> None:
    """Check that every port is free and none is used twice.

    Raises:
        StartError: names the part, the port and the setting to change.
    """
    setting_of: dict[int, str] = {}
    for name, (setting, port) in plan.ports.items():
        if port in setting_of:
            names = f"{setting_of[port]} and {setting}"
            raise StartError(f"{names} are both {port}; set one of them to another port")
        setting_of[port] = setting
        if not probes.port_is_free(port):
            message = f"port {port} for {name} is taken; set {setting} to a free one"
            raise StartError(message)
