"""Our own service under test, with all its protections or without some of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from chaos import colours, counted
from chaos.layout import FULL, NO_CACHE, Protection, classify_worker
from chaos.stack import Service, Stack
from model_store import ModelStore
from petiole import parts, probes
from petiole.parts import PYTHON, Part

MODEL = "colours"


@dataclass(frozen=True)
class Petiole(Service):
    """The service of this project; `protection` says with what it may protect itself."""

    protection: Protection = FULL
    app: str = "tasks"
    task: str = "classify"
    queues: tuple[str, ...] = ("classify", "downloads", "bulk")
    address_variable: str = "REDIS_URL"
    max_attempts: int = 3
    has_users: bool = True
    tells_readiness: bool = True
    has_rabbitmq: bool = False

    @property
    def name(self) -> str:
        """As in the tables."""
        return f"{self.protection.name}{' over RabbitMQ' if self.has_rabbitmq else ''}"

    @property
    def python(self) -> str:
        """The interpreter of its environment."""
        return PYTHON

    def prepare(self, stack: Stack) -> None:
        """Publish the model, and make its runtime known."""
        counted.register(stack.plugins)
        models = models_of(stack)
        colours.publish(models, runtime=counted.NAME)
        if stack.layout.damaged_model:
            (models / MODEL / "1" / colours.MODEL).write_bytes(b"damaged")

    def parts(self, stack: Stack) -> tuple[Part, ...]:
        """Return the classify workers, the download worker and the API."""
        numbers, bulk_children = range(stack.layout.workers), stack.layout.bulk_children
        return (
            *(classify_worker(stack.layout, self.protection, number) for number in numbers),
            *((parts.bulk_worker(bulk_children),) if bulk_children else ()),
            parts.downloader(4),
            parts.http_api(stack.directory / "metrics"),
        )

    def environment(self, stack: Stack) -> Mapping[str, str]:
        """Return the settings of all its parts."""
        return {
            "PETIOLE_API_PORT": str(stack.api_port),
            "PETIOLE_TASKS_IMAGE_STORE_URL": str(_uploads(stack)),
            "PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS": "127.0.0.1/32",
            "PETIOLE_MODELS_STORE_URL": str(models_of(stack)),
            "PETIOLE_MODELS_CACHE_DIRECTORY": str(stack.directory / "model-cache"),
            "PETIOLE_MODELS_DEFAULT_MODEL": MODEL,
            **NO_CACHE,
            **stack.layout.environment,
            **self.protection.environment,
        }

    def is_whole(self, stack: Stack) -> bool:
        """Tell whether `/readyz` says ready and names every child."""
        if probes.missing_at(stack.api):
            return False
        document = requests.get(f"{stack.api}/readyz", timeout=probes.HTTP_SECONDS).json()
        ready = [child for child in document.get("children", []) if child["state"] == "ready"]
        # A pool of threads is one process, and puts up one note.
        announcing = 1 if "--pool" in stack.layout.worker_words else stack.layout.children
        return len(ready) >= stack.layout.workers * announcing

    def left(self, stack: Stack) -> list[str]:
        """Return open jobs, and uploads except those in quarantine, which an operator must see."""
        with stack.redis() as client:
            jobs = {key: client.zcard(key) for key in client.keys("petiole:open:*")}
            kept = set(client.zrange("petiole:quarantine", 0, -1))
        files = [file for file in _uploads(stack).rglob("*") if file.is_file()]
        uploads = [file for file in files if not any(task_id in file.name for task_id in kept)]
        left = [f"left: {count} in {key}" for key, count in jobs.items() if count]
        return left + ([f"left: {len(uploads)} uploads"] if uploads else [])


OURS = Petiole()


def models_of(stack: Stack) -> Path:
    """Return the model store."""
    return stack.directory / "models"


def newest_model(stack: Stack) -> None:
    """Publish the model once more and put it into production, as a cure for a broken one."""
    models = models_of(stack)
    card = colours.publish(models, runtime=counted.NAME)
    ModelStore.open(str(models)).set_alias(MODEL, "production", card.version)


def _uploads(stack: Stack) -> Path:
    return stack.directory / "uploads"
