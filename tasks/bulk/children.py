"""The processes that do bulks: apart from all others, announced, and of the lowest priority."""

import logging
from collections.abc import Collection
from typing import Any

from tasks import priority
from tasks.once import once
from tasks.readiness import Announcement

QUEUE = "bulk"

logger = logging.getLogger(__name__)


@once
def _announcement() -> Announcement:
    return Announcement(QUEUE)


def prepare(queues: Any, others: Collection[str]) -> None:
    """Leave bulks to workers that do nothing else, as single pictures come before them.

    Args:
        queues: Those of a worker's app; called in its main process, before it forks.
        others: The queues whose tasks would wait.
    """
    if QUEUE not in queues.consume_from:
        return
    if set(others) & set(queues.consume_from):
        queues.deselect([QUEUE])
        logger.info("queue left to a worker of its own", extra={"queue": QUEUE})
    else:
        priority.lower_session()


def begin() -> None:
    """Say that this process does bulks, then take the lowest priority.

    In this order, because a thread keeps the priority of the one that started it: what says that
    this process lives must not wait for others.
    """
    _announcement().ready()
    logger.info("bulk ready", extra={"priority": priority.lower()})


def withdraw() -> None:
    """Take the announcement back at a tidy end."""
    _announcement().withdraw()
