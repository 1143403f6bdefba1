"""The processes that do bulks and explanations: apart from others, announced, last in turn.

One worker takes both queues in turn: an explanation waits for a pack of a bulk at most, and a
service whose clients ask for neither has no further process for either.
"""

import logging
from collections.abc import Collection
from typing import Any

from tasks import priority
from tasks.once import once
from tasks.readiness import Announcement

QUEUES = ("bulk", "explain")

logger = logging.getLogger(__name__)


@once
def _announcements() -> dict[str, Announcement]:
    return {queue: Announcement(queue) for queue in QUEUES}


def is_one(queues: Any) -> bool:
    """Tell whether a worker with these queues does bulks or explanations."""
    return bool(_own(queues))


def _own(queues: Any) -> list[str]:
    return [queue for queue in QUEUES if queue in queues.consume_from]


def prepare(queues: Any, others: Collection[str]) -> None:
    """Leave bulks and explanations to workers that do nothing else; single pictures come first.

    Args:
        queues: Those of a worker's app; called in its main process, before it forks.
        others: The queues whose tasks would wait.
    """
    own = _own(queues)
    if not own:
        return
    if set(others) & set(queues.consume_from):
        queues.deselect(own)
        for queue in own:
            logger.info("queue left to a worker of its own", extra={"queue": queue})
    else:
        priority.lower_session()


def begin(queues: Any) -> None:
    """Say that this process does what it does, then take the lowest priority.

    In this order, because a thread keeps the priority of the one that started it: what says that
    this process lives must not wait for others.
    """
    own = _own(queues)
    for queue in own:
        _announcements()[queue].ready()
    logger.info("bulk ready", extra={"queues": own, "priority": priority.lower()})


def withdraw() -> None:
    """Take the announcements back at a tidy end."""
    for announcement in _announcements().values():
        announcement.withdraw()
