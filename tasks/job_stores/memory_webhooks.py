"""Promises to tell of an end, in the memory of one process: for eager mode and for tests."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock
from time import time

from tasks.job_stores.records import Job
from tasks.job_stores.webhooks import (
    DELIVERED,
    GIVEN_UP,
    MOST_LISTED,
    PUT_OFF,
    Load,
    Webhook,
)
from tasks.settings import TasksSettings


class MemoryWebhooks:
    """For Celery's eager mode and for tests; it forgets with its process."""

    def __init__(
        self, settings: TasksSettings, *, count: Callable[[Mapping[str, float]], None]
    ) -> None:
        """Start empty; `count` adds to the sums of the job store."""
        self._settings = settings
        self._count = count
        self._due: dict[str, Webhook] = {}
        self._dead: dict[str, Webhook] = {}
        self._lock = Lock()

    def promise(self, job: Job, document: str) -> None:
        """Make a promise, in the step that ends its job."""
        now = time()
        self._due[job.task_id] = Webhook(
            job.task_id,
            job.webhook_url,
            document,
            now,
            now,
            at=now,
            request_id=job.request_id,
            trace=job.trace,
        )

    def forget(self, task_id: str) -> None:
        """Drop a promise whose document its client had deleted."""
        self._due.pop(task_id, None)
        self._dead.pop(task_id, None)

    def take(self, most: int, *, seconds: float) -> list[Webhook]:
        """Return promises that are due, longest first."""
        with self._lock:
            now = time()
            due = sorted((w for w in self._due.values() if w.at <= now), key=lambda w: w.at)[:most]
            taken = [replace(w, attempts=w.attempts + 1, at=now + seconds) for w in due]
            self._due.update({webhook.task_id: webhook for webhook in taken})
            return taken

    def keep(self, webhook: Webhook) -> None:
        """Forget a promise that is fulfilled."""
        self._count({DELIVERED: 1})
        self.forget(webhook.task_id)

    def put_off(self, webhook: Webhook, *, seconds: float, reason: str) -> bool:
        """Let a promise be due again in so many seconds, or give it up."""
        with self._lock:
            now = time()
            if not self._is_in_hand(webhook):
                return False
            until = webhook.since + self._settings.webhook_give_up_seconds
            if seconds >= 0 and now + seconds <= until:
                self._count({PUT_OFF: 1})
                again = replace(webhook, reason=reason, at=now + seconds)
                self._due[webhook.task_id] = again
                return True
            self._count({GIVEN_UP: 1})
            self._dead[webhook.task_id] = replace(webhook, reason=reason, at=now)
            del self._due[webhook.task_id]
            return False

    def put_back(self, webhook: Webhook, *, seconds: float) -> None:
        """Let a promise be due in so many seconds that was taken and not tried."""
        with self._lock:
            if self._is_in_hand(webhook):
                back = replace(webhook, attempts=webhook.attempts - 1, at=time() + seconds)
                self._due[webhook.task_id] = back

    def _is_in_hand(self, webhook: Webhook) -> bool:
        held = self._due.get(webhook.task_id)
        return held is not None and held.attempts == webhook.attempts

    def send_again(self, task_id: str) -> bool:
        """Let one that was given up be due again."""
        with self._lock:
            dead = self._dead.pop(task_id, None)
            if dead is not None:
                now = time()
                self._due[task_id] = replace(dead, since=now, attempts=0, at=now)
            return dead is not None

    def waiting(self) -> list[Webhook]:
        """Return the promises that wait."""
        return sorted(self._due.values(), key=lambda webhook: webhook.at)[:MOST_LISTED]

    def dead(self) -> list[Webhook]:
        """Return those that were given up."""
        return sorted(self._dead.values(), key=lambda webhook: webhook.at)[:MOST_LISTED]

    def load(self) -> Load:
        """Return how many there are."""
        return Load(len(self._due), len(self._dead))

    def late_seconds(self) -> float:
        """Return for how long the one that is due longest has been due."""
        moments = [webhook.at for webhook in self._due.values()]
        return max(0.0, time() - min(moments)) if moments else 0.0
