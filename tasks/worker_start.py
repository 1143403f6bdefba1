"""What is asked of a worker before it starts: a pool that works here, and queues of its own."""

import logging
from collections.abc import Collection
from typing import Any

GREEN_POOLS = ("gevent", "eventlet")
IN_MAIN_PROCESS = ("thread", "solo")
"""Pools whose tasks run in the worker's main process, which then has the models."""

logger = logging.getLogger(__name__)


def pool_of(worker: Any) -> str:
    """Return the short name of a worker's pool, as in `prefork`."""
    module = worker.pool_cls if isinstance(worker.pool_cls, str) else worker.pool_cls.__module__
    return str(module).rpartition(".")[2]


def refuse_green_pool(worker: Any) -> None:
    """End a worker whose greenlets would all wait while one of them predicts.

    Raises:
        SystemExit: with what to use instead.
    """
    pool = pool_of(worker)
    if pool in GREEN_POOLS:
        raise SystemExit(
            f"petiole: the pool {pool} does not work here: predicting and decoding never yield;"
            " use prefork, threads or solo"
        )


def keep_to(worker: Any, queues: Collection[str]) -> None:
    """Let a worker consume only queues whose tasks its app has, also when none was named.

    Raises:
        SystemExit: it was told to consume others only.
    """
    selected = worker.app.amqp.queues
    foreign = sorted(set(selected.consume_from) - set(queues))
    selected.deselect(foreign)
    if not selected.consume_from:
        raise SystemExit(
            f"petiole: this app has no task of the queue {', '.join(foreign)};"
            f" its queues are {', '.join(sorted(queues))}"
        )
    if foreign:
        logger.info("queues left to other workers", extra={"queues": foreign})
