"""The service as the harness starts it: real parts on free ports, in a directory of their own.

The supervisor of `petiole up` runs them, so a part that dies is started again as for any user.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

import psutil
import redis
import requests

from chaos import clock, colours, counted
from chaos.layout import FULL, Layout, Protection, classify_worker, clean_environment, worker_name
from chaos.wire import Wire
from model_store import ModelStore
from petiole import parts, probes
from petiole.parts import ROOT, Part
from petiole.supervisor import POLL_SECONDS, Console, Supervisor

START_SECONDS = 60.0
STOP_SECONDS = 15.0
MIB = 1 << 20


class StackError(Exception):
    """The service cannot be started here; the message says why."""


class Stack:
    """One started service, whose every process is known."""

    def __init__(self, directory: Path, layout: Layout, protection: Protection = FULL) -> None:
        """Prepare ports, directories and the model; nothing runs yet."""
        self.directory = directory
        self.layout = layout
        self.redis_port, self._api_port = probes.free_port(), probes.free_port()
        self.api = f"http://127.0.0.1:{self._api_port}"
        self.executions = directory / "executions"
        self.uploads = directory / "uploads"
        self.disk = directory / "redis"
        self.models = directory / "models"
        self.wire = Wire(self.redis_port) if layout.wired else None
        self.environment = self._environment(protection)
        self._parts = self._planned(protection)
        self._turn, self._done = Lock(), Event()
        self._keeper = Thread(target=self._keep, name="supervisor", daemon=True)

    def redis_url(self, port: int | None = None) -> str:
        """Return the address of the server, or of what stands before it at another port."""
        return f"redis://127.0.0.1:{port or self.redis_port}/0"

    def redis(self) -> Any:
        """Return a client of the server; Any because redis-py types every answer as awaitable."""
        return redis.Redis.from_url(self.redis_url(), decode_responses=True, socket_timeout=5)

    def start(self) -> None:
        """Start every part and wait until the service can classify.

        Raises:
            StackError: it cannot within `START_SECONDS`; says what is missing.
        """
        self._log = (self.directory / "log").open("w", encoding="utf-8")
        console = Console((part.name for part in self._parts), self._log)
        self.supervisor = Supervisor(console, self.environment)
        counted.register(self.directory / "plugins")
        clock.register(self.directory / "plugins")
        colours.publish(self.models, runtime=counted.NAME)
        if self.layout.damaged_model:
            (self.models / "colours" / "1" / colours.MODEL).write_bytes(b"damaged")
        self._mount()
        for part in self._parts:
            self.supervisor.start(part)
            if part.name == "redis":
                self.wait_for(lambda: not probes.no_redis_at(self.redis_url()), "redis")
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
            names = [part.name for part in self._parts]
            self.supervisor.stop(names[1:], timeout_seconds=STOP_SECONDS)
            self.supervisor.stop(names[:1], timeout_seconds=STOP_SECONDS)
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
        """Tell whether `/readyz` says ready and names every child."""
        if probes.missing_at(self.api):
            return False
        return len(self.ready_children()) >= self.layout.workers * self._announcing()

    def ready_children(self) -> list[str]:
        """Return the children that say they are ready."""
        document = requests.get(f"{self.api}/readyz", timeout=probes.HTTP_SECONDS).json()
        children = document.get("children", [])
        return [child["process"] for child in children if child["state"] == "ready"]

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

    def command(self, *words: str, seconds: float = 30.0) -> str:
        """Run one of the project's own programs as an operator would; return what it said."""
        finished = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**self.environment, "REDIS_URL": self.redis_url()},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return finished.stdout + finished.stderr

    def _announcing(self) -> int:
        """Return how many notes a worker puts up: a pool of threads is one process."""
        return 1 if "--pool" in self.layout.worker_words else self.layout.children

    def _environment(self, protection: Protection) -> dict[str, str]:
        return {
            **clean_environment(),
            "PYTHONPATH": f"{self.directory / 'plugins'}:{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "PETIOLE_API_PORT": str(self._api_port),
            "PETIOLE_TASKS_IMAGE_STORE_URL": str(self.uploads),
            "PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS": "127.0.0.1/32",
            "PETIOLE_MODELS_STORE_URL": str(self.models),
            "PETIOLE_MODELS_CACHE_DIRECTORY": str(self.directory / "model-cache"),
            "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
            counted.EXECUTIONS: str(self.executions),
            counted.WORK_SECONDS: str(self.layout.work_seconds),
            **self.layout.environment,
            **protection.environment,
        }

    def _planned(self, protection: Protection) -> tuple[Part, ...]:
        workers = [
            classify_worker(self.layout, protection, number)
            for number in range(self.layout.workers)
        ]
        far = self.wire.port if self.wire else None
        return (
            parts.redis(self.redis_port, self.disk),
            *(self._reaching(part, far) for part in workers),
            self._reaching(parts.downloader(4)),
            self._reaching(parts.http_api(self.directory / "metrics")),
        )

    def _reaching(self, part: Part, port: int | None = None) -> Part:
        return replace(part, environment={**part.environment, "REDIS_URL": self.redis_url(port)})

    def _keep(self) -> None:
        while not self._done.wait(POLL_SECONDS):
            with self._turn:
                self.supervisor.check()

    def _mount(self) -> None:
        if not self.layout.disk_mib:
            return
        size = f"size={self.layout.disk_mib}m"
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.disk)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise StackError(f"this machine allows no disk of its own: {done.stderr.strip()}")

    def _unmount(self) -> None:
        if self.layout.disk_mib:
            subprocess.run(["umount", str(self.disk)], check=True)  # noqa: S603, S607


def newest_model(stack: Stack) -> None:
    """Publish the model once more and put it into production, as a cure for a broken one."""
    card = colours.publish(stack.models, runtime=counted.NAME)
    ModelStore.open(str(stack.models)).set_alias("colours", "production", card.version)


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
