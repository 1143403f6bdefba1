"""Promises to tell somebody of the end of a job, kept until they are fulfilled or given up.

A promise is made in the step that ends the job, so that no process can die between the two. It is
given to one deliverer at a time, for a while: who dies with it in hand only delays it.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from tasks.job_stores import webhook_scripts as scripts
from tasks.job_stores.connection import connect, time_of, translated
from tasks.job_stores.redis_upkeep import COUNTS
from tasks.job_stores.webhook_scripts import DEAD, DUE, WEBHOOK
from tasks.settings import TasksSettings

NEVER: Final = -1.0
DELIVERED, PUT_OFF, GIVEN_UP = "webhook|delivered", "webhook|put off", "webhook|given up"
"""Names of counts."""
MOST_LISTED = 1000


@dataclass(frozen=True)
class Webhook:
    """What is to be told to whom.

    Attributes:
        task_id: The job.
        url: Where its client wants to be told.
        document: The finished document, as JSON.
        ended_at: Seconds since the epoch.
        since: When trying began; later than `ended_at` for one that was sent again by hand.
        attempts: How often it was tried since, this time included.
        reason: Why the last try failed.
        at: When it is due, or when it was given up; only where it is listed.
        request_id: The id of the request that the job came with, and `trace` its `traceparent`.
    """

    task_id: str
    url: str
    document: str
    ended_at: float
    since: float
    attempts: int = 0
    reason: str = ""
    at: float = 0.0
    request_id: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Load:
    """How many promises wait for their fulfilment, and how many were given up."""

    due: int
    dead: int


class Webhooks(Protocol):
    """Keeps promises; every method raises `ServiceUnavailableError` when it cannot be reached."""

    def take(self, most: int, *, seconds: float) -> list[Webhook]:
        """Return promises that are due, longest first; for so many seconds nobody else gets them.

        The attempt is counted.
        """

    def keep(self, webhook: Webhook) -> None:
        """Forget a promise that is fulfilled."""

    def put_off(self, webhook: Webhook, *, seconds: float, reason: str) -> bool:
        """Let a promise be due again in so many seconds, or give it up: after its time, or `NEVER`.

        Returns whether it will be due again. Nothing happens when somebody else has it since.
        """

    def put_back(self, webhook: Webhook, *, seconds: float) -> None:
        """Let a promise be due in so many seconds that was taken and not tried."""

    def send_again(self, task_id: str) -> bool:
        """Let one that was given up be due again, as if for the first time; tells if there was."""

    def waiting(self) -> list[Webhook]:
        """Return the promises that wait, the next first; at most `MOST_LISTED`."""

    def dead(self) -> list[Webhook]:
        """Return those that were given up, the oldest first; at most `MOST_LISTED`."""

    def load(self) -> Load:
        """Return how many there are."""

    def late_seconds(self) -> float:
        """Return for how long the one that is due longest has been due; 0 when none is."""


class RedisWebhooks:
    """Promises beside the job records, made by the script that ends a job."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._settings = settings
        self._client = connect(settings.job_store_url, patience_seconds=0.0)
        register = self._client.register_script
        self._take, self._keep = register(scripts.TAKE), register(scripts.KEEP)
        self._put_off, self._put_back = register(scripts.PUT_OFF), register(scripts.PUT_BACK)
        self._send_again = register(scripts.SEND_AGAIN)

    @translated
    def take(self, most: int, *, seconds: float) -> list[Webhook]:
        """Return promises that are due, longest first."""
        return [_webhook(task_id, flat) for task_id, flat in self._take(args=[most, seconds])]

    @translated
    def keep(self, webhook: Webhook) -> None:
        """Forget a promise that is fulfilled."""
        self._keep(keys=[COUNTS], args=[webhook.task_id, DELIVERED])

    @translated
    def put_off(self, webhook: Webhook, *, seconds: float, reason: str) -> bool:
        """Let a promise be due again in so many seconds, or give it up."""
        limits = self._settings
        args = [webhook.task_id, webhook.attempts, seconds, reason]
        args += [limits.webhook_give_up_seconds, limits.webhook_dead_ttl_seconds]
        return bool(self._put_off(keys=[COUNTS], args=[*args, PUT_OFF, GIVEN_UP]) == "AGAIN")

    @translated
    def put_back(self, webhook: Webhook, *, seconds: float) -> None:
        """Let a promise be due in so many seconds that was taken and not tried."""
        self._put_back(args=[webhook.task_id, webhook.attempts, seconds])

    @translated
    def send_again(self, task_id: str) -> bool:
        """Let one that was given up be due again."""
        return bool(self._send_again(args=[task_id, self._settings.webhook_ttl_seconds]))

    @translated
    def waiting(self) -> list[Webhook]:
        """Return the promises that wait."""
        return self._listed(DUE)

    @translated
    def dead(self) -> list[Webhook]:
        """Return those that were given up."""
        return self._listed(DEAD)

    @translated
    def load(self) -> Load:
        """Return how many there are."""
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zcard(DUE)
            pipeline.zcard(DEAD)
            return Load(*pipeline.execute())

    @translated
    def late_seconds(self) -> float:
        """Return for how long the one that is due longest has been due."""
        first = self._client.zrange(DUE, 0, 0, withscores=True)
        return max(0.0, time_of(self._client) - float(first[0][1])) if first else 0.0

    def _listed(self, key: str) -> list[Webhook]:
        """Return what is in a set; what has expired leaves it."""
        rows = self._client.zrange(key, 0, MOST_LISTED - 1, withscores=True)
        with self._client.pipeline(transaction=False) as pipeline:
            for task_id, _ in rows:
                pipeline.hgetall(WEBHOOK + task_id)
            records = pipeline.execute()
        found = []
        for (task_id, at), record in zip(rows, records, strict=True):
            if record:
                flat = [part for pair in record.items() for part in pair]
                found.append(replace(_webhook(task_id, flat), at=float(at)))
            else:
                self._client.zrem(key, task_id)
        return found


def _webhook(task_id: str, flat: list[str]) -> Webhook:
    record: dict[str, Any] = dict(zip(flat[::2], flat[1::2], strict=True))
    return Webhook(
        task_id,
        record["url"],
        record["document"],
        float(record["ended_at"]),
        float(record["since"]),
        int(record.get("attempts", 0)),
        record.get("reason", ""),
        request_id=record.get("request_id", ""),
        trace=record.get("trace", ""),
    )
