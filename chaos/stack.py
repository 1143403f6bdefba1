"""A service as the harness starts it: real parts on free ports, in a directory of their own.

The supervisor of `petiole up` runs them, so a part that dies is started again as for any user.
"""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

import psutil
import redis

from chaos import clock, executions, rabbitmq
from chaos.layout import Layout, clean_environment, worker_name
from chaos.rabbitmq import RabbitMQ
from chaos.wire import Wire
from petiole import parts, probes, redis_login
from petiole.parts import ROOT, Part
from petiole.supervisor import POLL_SECONDS, Console, Supervisor
from tasks import redis_users

START_SECONDS = 60.0
STOP_SECONDS = 15.0
MIB = 1 << 20


class StackError(Exception):
    """The service cannot be started here; the message says why."""


class Service(ABC):
    """What is started and hurt; a service answers `/classify`, `/result`, `/livez` and `/readyz`.

    Attributes:
        app: Its Celery app, for the command line.
        task: The name of its task, for other programs.
        queues: Where its messages wait; pictures in the first one.
        address_variable: Its setting that names Redis.
        max_attempts: How often a picture that crashes its process may be tried.
        has_users: Whether its parts are users of Redis with rights of their own.
        tells_readiness: Whether `/readyz` is a promise of the service, to be held against it.
        has_rabbitmq: Whether its messages go over RabbitMQ, and Redis has its records alone.
    """

    app: str
    task: str
    queues: tuple[str, ...]
    address_variable: str
    max_attempts: int
    has_users: bool
    tells_readiness: bool
    has_rabbitmq: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """As in the tables."""

    @property
    @abstractmethod
    def python(self) -> str:
        """The interpreter of its environment."""

    @abstractmethod
    def prepare(self, stack: "Stack") -> None:
        """Make what has to be there before its parts start.

        Raises:
            StackError: this machine lacks something.
        """

    @abstractmethod
    def parts(self, stack: "Stack") -> tuple[Part, ...]:
        """Return what is started besides Redis; a worker bears the name that `Stack` gives it."""

    @abstractmethod
    def environment(self, stack: "Stack") -> Mapping[str, str]:
        """Return the settings of all its parts."""

    @abstractmethod
    def is_whole(self, stack: "Stack") -> bool:
        """Tell whether everything that was started is ready."""

    @abstractmethod
    def left(self, stack: "Stack") -> list[str]:
        """Return what finished work left behind, besides messages."""


class Stack:
    """One started service, whose every process is known."""

    def __init__(self, directory: Path, layout: Layout, service: Service) -> None:
        """Prepare ports and directories; nothing runs yet."""
        self.directory = directory
        self.layout = layout
        self.service = service
        self.redis_port, self.api_port = probes.free_port(), probes.free_port()
        self.api = f"http://127.0.0.1:{self.api_port}"
        self.executions = directory / "executions"
        self.disk = directory / "redis"
        self.logins = redis_login.made(directory, self.redis_port) if service.has_users else None
        self.wire = Wire(self.redis_port) if layout.wired else None
        self.rabbitmq = RabbitMQ(directory / "rabbitmq") if service.has_rabbitmq else None
        self.environment = self._environment()
        self.planned = self._planned()
        self._turn, self._done = Lock(), Event()
        self._keeper = Thread(target=self._keep, name="supervisor", daemon=True)

    def redis_url(self, port: int | None = None, *, user: str = redis_users.OPERATOR) -> str:
        """Return the address of the server, or of what stands before it at another port."""
        url = redis_login.url_of(port or self.redis_port)
        return self.logins.at(url, user) if self.logins else url

    def redis(self) -> Any:
        """Return a client of the server; Any because redis-py types every answer as awaitable."""
        return redis.Redis.from_url(self.redis_url(), decode_responses=True, socket_timeout=5)

    def start(self) -> None:
        """Start every part and wait until the service can classify.

        Raises:
            StackError: it cannot within `START_SECONDS`; says what is missing.
        """
        self._log = (self.directory / "log").open("w", encoding="utf-8")
        console = Console((part.name for part in self.planned), self._log)
        self.supervisor = Supervisor(console, self.environment)
        self.plugins.mkdir()
        clock.register(self.plugins)
        self.service.prepare(self)
        self._mount()
        self._start_stores()
        for part in self.planned:
            self.supervisor.start(part)
        self._keeper.start()
        self.wait_for(lambda: not probes.no_answer_of(f"{self.api}/livez"), "the API")
        if self.layout.waits_until_ready:
            self.wait_for(self.is_whole, "the service")

    def stop(self) -> list[str]:
        """End every part; return what outlived it."""
        everything = self.processes()
        with self._turn:
            for process in everything:
                _thaw(process)
            names = [part.name for part in self.planned]
            self.supervisor.stop(names, timeout_seconds=STOP_SECONDS)
            self.supervisor.stop([*self.supervisor.processes()], timeout_seconds=STOP_SECONDS)
            self._done.set()
        if self._keeper.is_alive():
            self._keeper.join()
        if self.wire:
            self.wire.close()
        self._log.close()
        self._unmount()
        return [_command(process) for process in everything if _runs(process)]

    def process(self, name: str) -> psutil.Process:
        """Return the process of one part: redis, worker, worker-2, downloader or api."""
        return psutil.Process(self.supervisor.process_ids()[name])

    def family(self, name: str) -> list[psutil.Process]:
        """Return the process of one part and all below it."""
        try:
            parent = self.process(name)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def processes(self) -> list[psutil.Process]:
        """Return every process of the service."""
        return [each for name in self.supervisor.process_ids() for each in self.family(name)]

    def worker_names(self) -> list[str]:
        """Return the names of the classify workers."""
        return [worker_name(number) for number in range(self.layout.workers)]

    def is_whole(self) -> bool:
        """Tell whether everything that was started is ready."""
        return self.service.is_whole(self)

    def wait_for(self, check: Any, what: str, *, seconds: float = START_SECONDS) -> None:
        """Return once `check()` is true.

        Raises:
            StackError: it is not in time.
        """
        deadline = monotonic() + seconds
        while not check():
            if monotonic() > deadline:
                raise StackError(f"{what} is not ready after {seconds:g} s, see {self._log.name}")
            sleep(0.2)

    def celery(self, *words: str, seconds: float = 30.0) -> str:
        """Run a command of Celery's as an operator of the service would; return what it said."""
        finished = subprocess.run(  # noqa: S603 - our own program
            [self.service.python, "-m", "celery", "-A", self.service.app, *words],
            cwd=ROOT,
            env={**self.environment, self.service.address_variable: self.redis_url()},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return finished.stdout + finished.stderr

    @property
    def plugins(self) -> Path:
        """A directory in which every Python of the service looks for modules first."""
        return self.directory / "plugins"

    def _environment(self) -> dict[str, str]:
        return {
            **clean_environment(),
            "PYTHONPATH": f"{self.plugins}:{ROOT}",
            "PYTHONUNBUFFERED": "1",
            executions.EXECUTIONS: str(self.executions),
            executions.WORK_SECONDS: str(self.layout.work_seconds),
            **self.service.environment(self),
            **({"CELERY_BROKER_URL": self.rabbitmq.url} if self.rabbitmq else {}),
        }

    def _planned(self) -> tuple[Part, ...]:
        workers = self.worker_names()
        far = self.wire.port if self.wire else None
        return tuple(
            self._reaching(part, far if part.name in workers else None)
            for part in self.service.parts(self)
        )

    def _start_stores(self) -> None:
        """Start what all other parts need, and wait until it answers."""
        users_file = self.logins.users_file if self.logins else None
        self.supervisor.start(parts.redis(self.redis_port, self.disk, users_file=users_file))
        self.wait_for(lambda: not probes.no_redis_at(self.redis_url()), "redis")
        if self.rabbitmq is None:
            return
        if missing := rabbitmq.missing():
            raise StackError(missing)
        self.rabbitmq.folder.mkdir()
        for part, port in self.rabbitmq.parts():
            self.supervisor.start(part)
            self.wait_for(lambda port=port: not probes.port_is_free(port), part.name)

    def _reaching(self, part: Part, port: int | None) -> Part:
        url = self.redis_url(port, user=parts.user_of(part))
        address = {self.service.address_variable: url}
        return replace(part, environment={**part.environment, **address})

    def _keep(self) -> None:
        while not self._done.wait(POLL_SECONDS):
            with self._turn:
                self.supervisor.check()

    def _mount(self) -> None:
        if not self.layout.disk_mib:
            return
        self.disk.mkdir()
        size = f"size={self.layout.disk_mib}m"
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.disk)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise StackError(f"this machine allows no disk of its own: {done.stderr.strip()}")

    def _unmount(self) -> None:
        if self.disk.is_mount():
            subprocess.run(["umount", str(self.disk)], check=True)  # noqa: S603, S607


def _thaw(process: psutil.Process) -> None:
    if _runs(process):
        process.resume()


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
