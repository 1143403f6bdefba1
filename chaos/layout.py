"""What a scenario starts: how many workers, of which pool, with which of their protections off."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from petiole import parts
from petiole.parts import Part
from tasks.celery import app as workers_app

OURS = ("PETIOLE_", "CELERY_", "FLOWER_", "CHAOS_", "RELIER_", "REDIS_URL", "PROMETHEUS_")
"""Settings of the user's own service, which must not reach the one that is hurt."""


@dataclass(frozen=True)
class Protection:
    """What the service is allowed to protect itself with.

    Attributes:
        name: As in the tables.
        worker_options: Settings of Celery, as `celery worker` takes them on its command line.
        environment: Settings of the service.
        worker_app: The Celery app of the classify workers.
    """

    name: str
    worker_options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    worker_app: str = "tasks"


CACHE = "PETIOLE_TASKS_CACHE_TTL_SECONDS"
NO_CACHE = {CACHE: "0"}
"""For whatever sends one picture again and again, and wants to see what workers do with it."""

NO_RECONCILER = {"PETIOLE_TASKS_RECONCILE_SECONDS": "0"}
SOON_VISIBLE = json.dumps({**workers_app.conf.broker_transport_options, "visibility_timeout": 6})
"""Longer than a readiness lives (4 s): who claims a job that is still held leaves it alone."""

FULL = Protection("petiole")
UNRECONCILED = Protection("no reconciler", environment=NO_RECONCILER)
LATE = Protection(
    "late acknowledgement, no reconciler, a visibility timeout of 6 s",
    (f"broker.transport_options=(json){SOON_VISIBLE}",),
    NO_RECONCILER,
)
EARLY = Protection(
    "early acknowledgement, no reconciler, a visibility timeout of 6 s",
    ("task.acks_late=0", *LATE.worker_options),
    NO_RECONCILER,
)
UNSAFE_TASK = Protection("Celery's own task class", worker_app="chaos.unsafe")
UNWATCHED = Protection("no watchdog", ("worker.consumer=chaos.unwatched:UnwatchedConsumer",))
PLAIN = Protection(
    "plain Celery settings",
    (
        "task.acks_late=0",
        "task.reject_on_worker_lost=0",
        "broker.channel_error_retry=0",
        "worker.prefetch_multiplier=4",
        "result.backend_always_retry=0",
    ),
    NO_RECONCILER,
    "chaos.unsafe",
)
PROTECTIONS = {
    "petiole": FULL,
    "no-reconciler": UNRECONCILED,
    "late": LATE,
    "early": EARLY,
    "unsafe-task": UNSAFE_TASK,
    "no-watchdog": UNWATCHED,
    "plain": PLAIN,
}


@dataclass(frozen=True)
class Layout:
    """The parts of one started service.

    Attributes:
        workers: Classify workers.
        children: Children of each.
        bulk_children: Children of a worker of bulks, which is started if there are any.
        work_seconds: What one picture takes in a child.
        worker_words: Further words of the workers' command line, as `--pool threads`.
        worker_options: Settings of Celery for the classify workers.
        environment: Settings of the service.
        worker_environment: Further ones, of the classify workers alone.
        disk_mib: Size of a disk of its own for Redis' file; 0 means the usual disk.
        wired: Whether the classify workers reach Redis over a wire that can be cut.
        damaged_model: Whether the model's file is overwritten before the start.
        waits_until_ready: Whether the start waits until the service can classify.
    """

    workers: int = 1
    children: int = 2
    bulk_children: int = 0
    work_seconds: float = 0.05
    worker_words: tuple[str, ...] = ()
    worker_options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    worker_environment: Mapping[str, str] = field(default_factory=dict)
    disk_mib: int = 0
    wired: bool = False
    damaged_model: bool = False
    waits_until_ready: bool = True


def worker_name(number: int) -> str:
    """Return the name of a classify worker, counted from 0."""
    return "worker" if number == 0 else f"worker-{number + 1}"


def classify_worker(layout: Layout, protection: Protection, number: int) -> Part:
    """Return the part of one classify worker."""
    part = parts.worker(layout.children)
    name = worker_name(number)
    words = {"classify@%h": f"{name}@%h", "tasks": protection.worker_app}
    command = [words.get(word, word) for word in part.command]
    options = (*layout.worker_options, *protection.worker_options)
    return Part(
        name,
        (*command, *layout.worker_words, *(("--", *options) if options else ())),
        {**part.environment, **layout.worker_environment},
    )


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what the user's own service is told."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
