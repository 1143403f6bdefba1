"""The service that is built with relier, as the harness starts it.

The parts are those of its production manifest: workers of the public queues, a worker of the
recovery queue, the resurrector, and an API; its settings are its defaults.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from chaos.stack import Service, Stack, StackError
from petiole import probes
from petiole.parts import ROOT, Part

ENVIRONMENT = ROOT / "var" / "peers" / "relier"
TASKS = "chaos.peers.relier.tasks"
API = "chaos.peers.relier.api:app"
PUBLIC_QUEUES = ("default", "high_priority", "low_priority")
RECOVERY_QUEUE = "re-queue"
SOFT_SECONDS, HARD_SECONDS = "25", "30"


@dataclass(frozen=True)
class Relier(Service):
    """relier 0.1.7, installed in `home`; a task is resurrected five times at most."""

    home: Path = ENVIRONMENT
    app: str = "relier.tasks.app"
    task: str = "classify"
    queues: tuple[str, ...] = (*PUBLIC_QUEUES, RECOVERY_QUEUE)
    address_variable: str = "RELIER_REDIS_URL"
    max_attempts: int = 6
    has_users: bool = False
    tells_readiness: bool = False

    @property
    def name(self) -> str:
        """As in the tables."""
        return "relier 0.1.7"

    @property
    def python(self) -> str:
        """The interpreter of its environment."""
        return str(self.home / "bin" / "python")

    def prepare(self, stack: Stack) -> None:
        """See that its environment is there.

        Raises:
            StackError: it is not.
        """
        if not self.home.exists():
            raise StackError(f"{self.home} is missing; `make chaos-peers` installs it")

    def parts(self, stack: Stack) -> tuple[Part, ...]:
        """Return the workers, the one that recovers, the resurrector and the API."""
        layout = stack.layout
        uvicorn = (self.python, "-m", "uvicorn", API, "--no-access-log")
        workers = [
            Part(
                name,
                (*self._worker(stack, name, PUBLIC_QUEUES), *layout.worker_words),
                layout.worker_environment,
            )
            for name in stack.worker_names()
        ]
        return (
            *workers,
            Part("recovery", self._worker(stack, "recovery", (RECOVERY_QUEUE,))),
            Part("resurrector", (str(self.home / "bin" / "rl"), "run-resurrector")),
            Part("api", (*uvicorn, "--port", str(stack.api_port))),
        )

    def environment(self, stack: Stack) -> Mapping[str, str]:
        """Return its defaults, and the sizes that it asks for."""
        limits = dict(option.split("=", 1) for option in stack.layout.worker_options)
        return {
            "RELIER_ENV": "production",
            "RELIER_SECRET_KEY": secrets.token_hex(),
            "RELIER_CELERY_WORKER_COUNT": str(stack.layout.workers + 1),
            "RELIER_CELERY_WORKER_CONCURRENCY": str(stack.layout.children),
            "CHAOS_SOFT_SECONDS": limits.get("task.soft_time_limit", SOFT_SECONDS),
            "CHAOS_HARD_SECONDS": limits.get("task.time_limit", HARD_SECONDS),
        }

    def is_whole(self, stack: Stack) -> bool:
        """Tell whether each worker gave a sign of life."""
        answer = requests.get(f"{stack.api}/readyz", timeout=probes.HTTP_SECONDS)
        return answer.ok and answer.json()["workers"] >= stack.layout.workers + 1

    def left(self, stack: Stack) -> list[str]:
        """Return tasks that it still believes to be worked on."""
        with stack.redis() as client:
            tasks = len(client.keys("rl:phoenix:{*"))
        return [f"left: {tasks} in rl:phoenix"] if tasks else []

    def _worker(self, stack: Stack, name: str, queues: tuple[str, ...]) -> tuple[str, ...]:
        celery = (self.python, "-m", "celery", "-A", self.app, "worker", "-l", "info")
        size = ("--concurrency", str(stack.layout.children))
        return (*celery, "-Q", ",".join(queues), "-n", f"{name}@%h", *size, "--include", TASKS)
