"""The whole service as one context: start, wait until it is ready, stop and leave nothing.

`petiole up` stays in it, `petiole demo` sends pictures through it.
"""

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Any

from api.settings import ApiSettings
from petiole import parts, planning, running, state_format
from petiole.output import Output
from petiole.part_logs import PartLogs, Recorded, directory_of
from petiole.parts import Plan
from petiole.planning import StartError, StartInterruptedError
from petiole.running import AlreadyRunningError
from petiole.settings import UpSettings
from petiole.starting import REDIS, RedisStart, Start
from petiole.state_format import LaterFormatError
from petiole.supervisor import POLL_SECONDS, Supervisor
from tasks import addresses
from tasks.settings import EMBEDDED_REDIS_URL

READY_POLL_SECONDS = 0.4
BACKLOG = 2048
"""Connections that wait for the API to take them; gunicorn's own default."""

MAX_START_RESTARTS = 3


class Service:
    """The started parts; `tick` keeps them running, `output` is told of them."""

    def __init__(self, plan: Plan, up: UpSettings, supervisor: Supervisor, output: Output) -> None:
        """Hold what `started` made."""
        self.plan = plan
        self.up = up
        self.supervisor = supervisor
        self.output = output
        self._note: running.ServiceNote | None = None
        self.interrupted = Event()
        self.roll_asked = Event()

    def tick(self) -> None:
        """Look after the parts, then sleep a moment."""
        self.supervisor.check()
        if self._note is not None:
            now = self.supervisor.processes(), self.supervisor.restarts()
            self._announce(replace(self._note, processes=now[0], restarts=now[1]))
        self.interrupted.wait(POLL_SECONDS)

    def announce(self) -> None:
        """Tell other commands where the service is, from now on."""
        logs = str(directory_of(self.up.state_directory).absolute())
        note = note_of(self.plan, self.supervisor.processes())
        self._announce(replace(note, restarts=self.supervisor.restarts(), log_directory=logs))

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

    def wait_until(self, start: Start | RedisStart) -> None:
        """Look after the parts until nothing is missing.

        Raises:
            StartError: not in time, a part keeps ending, or the user interrupted.
        """
        limit = self.up.start_timeout_seconds
        deadline = monotonic() + limit
        while missing := start.missing():
            self.interrupted.wait(READY_POLL_SECONDS)
            self.check_interrupted()
            if monotonic() > deadline:
                message = f"{start.what} is not ready after {limit:g} s: {missing}"
                raise StartError(message, parts=start.not_ready)
            self._check_restarts()
            self.tick()

    def _check_restarts(self) -> None:
        for name, restarts in self.supervisor.restarts().items():
            if restarts >= MAX_START_RESTARTS:
                last_line = self.supervisor.last_line(name)
                message = f"{name} keeps ending; the last line of its log: {last_line}"
                raise StartError(message, parts=(name,))


@contextmanager
def started(plan: Plan, up: UpSettings, output: Output) -> Iterator[Service]:
    """Start every part, give the ready service, and stop every part in the end.

    What the parts say is kept in files of the state directory, whatever `output` shows of it.
    From then on Ctrl-C and SIGTERM interrupt the service.

    Raises:
        StartError: another service runs in the state directory, a port is taken, or a part does
            not become ready.
    """
    with _locked(plan, up):
        planning.check_ports(plan)
        with (
            _listening() as door,
            _kept(plan, up, output) as recorded,
            _started(plan, door, up, recorded) as service,
        ):
            yield service


@contextmanager
def _kept(plan: Plan, up: UpSettings, output: Output) -> Iterator[Output]:
    directory = directory_of(up.state_directory)
    try:
        logs = PartLogs(directory, [part.name for part in plan.parts])
    except OSError as exc:
        remedy = "move what is there, or set PETIOLE_UP_STATE_DIRECTORY"
        raise StartError(f"no logs can be kept in {directory}: {exc.strerror}; {remedy}") from exc
    try:
        yield Recorded(output, logs)
    finally:
        logs.close()


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
            state_format.settle(up.state_directory)
        except (AlreadyRunningError, LaterFormatError) as exc:
            raise StartError(str(exc)) from exc
        except OSError as exc:
            raise planning.unwritable(up, exc) from exc
        yield


@contextmanager
def _started(plan: Plan, door: socket.socket, up: UpSettings, output: Output) -> Iterator[Service]:
    plan = parts.listening_on(plan, door.fileno())
    supervisor = Supervisor(output, plan.environment)
    service = Service(plan, up, supervisor, output)
    _hear_signals(service, supervisor)
    try:
        _start(service)
        service.announce()
        yield service
    except StartError as exc:
        for name in exc.parts:
            output.failed(name, supervisor.last_lines(name))
        raise
    finally:
        running.remove(up.state_directory)
        door.close()
        output.stopping()
        names = [part.name for part in plan.parts if part.name != REDIS]
        supervisor.stop(names, timeout_seconds=up.stop_timeout_seconds)
        # Last: the others hand their unfinished work back to it.
        supervisor.stop([REDIS], timeout_seconds=up.stop_timeout_seconds)
        output.stopped()


def note_of(plan: Plan, processes: Mapping[str, int]) -> running.ServiceNote:
    """Return the note of the service that this process runs."""
    environment, broker = plan.environment, plan.broker_url
    redis = broker if addresses.is_redis(broker) else EMBEDDED_REDIS_URL
    redis = plan.redis_url or redis
    return running.ServiceNote(
        process=os.getpid(),
        began=running.began(os.getpid()),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        api_url=plan.api_url,
        flower_url=plan.flower_url,
        broker_url=addresses.for_celery(broker),
        result_backend=environment.get("CELERY_RESULT_BACKEND") or addresses.for_celery(redis),
        job_store_url=environment.get("PETIOLE_TASKS_JOB_STORE_URL") or redis,
        image_store_url=environment["PETIOLE_TASKS_IMAGE_STORE_URL"],
        model_store_url=environment["PETIOLE_MODELS_STORE_URL"],
        processes=processes,
    )


def _start(service: Service) -> None:
    start = Start(service.plan, service.output)
    for part in service.plan.parts:
        service.supervisor.start(part)
        if part.name == REDIS:
            service.wait_until(start.of_redis())
    service.wait_until(start)


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
