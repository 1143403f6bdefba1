"""Lanes: the Redis lists in which jobs wait, one for each queue and priority.

Kombu keeps the messages of a queue in a list for each priority, and workers take from the first
one that is not empty: what has low priority never delays the rest.
"""

from typing import Final, Literal

from kombu.transport.redis import Channel

Priority = Literal["normal", "low"]
NORMAL: Final = "normal"
LOW: Final = "low"
NUMBERS: dict[str, int] = {NORMAL: 0, LOW: 9}
"""Kombu's number of each priority over Redis, where 0 comes first."""

CLASSIFY, DOWNLOADS, BULK = "classify", "downloads", "bulk"
EXPLAIN = "explain"
TASKS = {CLASSIFY: "classify", DOWNLOADS: "download"}
"""The task of each queue of single pictures."""
OF_BULK = {BULK: "bulk"}
OF_EXPLANATIONS = {EXPLAIN: "explain"}
QUEUES = (*TASKS, *OF_BULK, *OF_EXPLANATIONS)
"""The queues of all that clients ask for."""


def lane(queue: str, priority: str = NORMAL) -> str:
    """Return the list in which a queue's messages of one priority wait."""
    number = NUMBERS[priority]
    return f"{queue}{Channel.sep}{number}" if number else queue


def queue_of(lane: str) -> str:
    """Return the queue that a lane belongs to."""
    return lane.partition(Channel.sep)[0]


def priority_of(lane: str) -> str:
    """Return the priority of the jobs in a lane."""
    return LOW if Channel.sep in lane else NORMAL


def number_of(lane: str) -> int:
    """Return kombu's number for the priority of a lane."""
    return NUMBERS[priority_of(lane)]


def task_of(lane: str) -> str:
    """Return the name of the task whose messages wait in a lane."""
    return {**TASKS, **OF_BULK, **OF_EXPLANATIONS}[queue_of(lane)]


EVERY = tuple(lane(queue, priority) for priority in (NORMAL, LOW) for queue in TASKS)
"""The lanes of single pictures, which are admitted, counted and estimated by them."""
WATCHED = (*EVERY, BULK, EXPLAIN)
"""The lanes in which lost jobs are looked for."""
