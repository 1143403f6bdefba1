"""The connection to Redis or Valkey, and what its errors mean to us."""

import logging
from collections.abc import Callable
from functools import wraps
from time import monotonic
from typing import Any, ParamSpec, TypeVar

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from tasks import addresses, sentinels
from tasks.errors import ServiceUnavailableError

MEMORY_SECONDS = 1.0
PROMPT_SECONDS = 0.8
"""Asking and taking it back, one after the other, fit into the two seconds of an answer."""
REPLY_SECONDS = 0.2
"""For an answer to come back: one that Redis gives in the last moment finds nobody who listens."""
CLOCK_SECONDS = 10.0

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def translated(method: Callable[P, R]) -> Callable[P, R]:
    """Turn redis-py's connection errors into `ServiceUnavailableError`."""

    @wraps(method)
    def _call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError) as exc:
            message = f"the job store did not answer ({type(exc).__name__}); try again shortly"
            raise ServiceUnavailableError(message) from exc

    return _call


def connect(url: str, *, patience_seconds: float) -> Any:
    """Return a client that gives up after about `patience_seconds` of failed tries.

    A timeout is not tried again: the command may have been carried out. Typed as Any because
    redis-py's annotations do not know that `decode_responses` makes every answer a str.
    """
    # Tries wait 0.1, 0.2, … s, at most 1 s; one immediate retry heals a connection that a
    # restarted server closed.
    tries = max(1, round(patience_seconds))
    is_watched = addresses.scheme_of(url) == sentinels.SCHEME
    opened: Callable[..., Any] = sentinels.connect if is_watched else redis.Redis.from_url
    return opened(
        url,
        decode_responses=True,
        socket_connect_timeout=PROMPT_SECONDS,
        socket_timeout=PROMPT_SECONDS if patience_seconds <= 1 else 5.0,
        health_check_interval=30,
        max_connections=200,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.1), tries, (redis.ConnectionError,)),
    )


def time_of(client: Any) -> float:
    """Return Redis' time, in seconds since the epoch."""
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


class Memory:
    """How much of its memory Redis uses, looked up once a second at most."""

    def __init__(self, client: Any) -> None:
        """Look it up over `client` when first asked."""
        self._client = client
        self._looked_at = float("-inf")
        self._share = 0.0

    def share(self) -> float:
        """Return used by allowed bytes; 0 where Redis has no limit or evicts at it."""
        if monotonic() - self._looked_at >= MEMORY_SECONDS:
            self._looked_at = monotonic()
            self._share = self._looked_up()
        return self._share

    def _looked_up(self) -> float:
        try:
            said = self._client.info("memory")
        except redis.exceptions.NoPermissionError as exc:
            # The user's rights forbid the look; Redis itself then refuses what it has no room for.
            logger.debug("memory not looked up", extra={"reason": str(exc)})
            return 0.0
        if not said["maxmemory"] or said["maxmemory_policy"] != "noeviction":
            return 0.0
        return float(said["used_memory"]) / float(said["maxmemory"])


class Clock:
    """Redis' time, looked up every ten seconds at most, for commands that must not come late."""

    def __init__(self, client: Any) -> None:
        """Look it up over `client` when first asked."""
        self._client = client
        self._patience_seconds = client.connection_pool.connection_kwargs["socket_timeout"]
        self._set_at = float("-inf")
        self._ahead_seconds = 0.0

    def too_late(self) -> float:
        """Return when an answer may find that who sends its command now has given up on it.

        In Redis' seconds.
        """
        if monotonic() - self._set_at >= CLOCK_SECONDS:
            self.set(time_of(self._client))
        return float(monotonic() + self._ahead_seconds + self._patience_seconds - REPLY_SECONDS)

    def set(self, seconds: float) -> None:
        """Take what Redis says that it is."""
        self._set_at = monotonic()
        self._ahead_seconds = seconds - self._set_at
