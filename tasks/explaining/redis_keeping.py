"""What is noted for explanations in the Redis of the job records."""

from tasks.job_stores.connection import connect, time_of, translated
from tasks.settings import TasksSettings

KEPT, ASKED = "petiole:kept", "petiole:explanations:"

# KEYS: the kept pictures, by when their time is over. ARGV: task id, seconds, most pictures.
_KEEP = """
local clock = redis.call('TIME')
if not redis.call('ZSCORE', KEYS[1], ARGV[1])
    and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], clock[1] + clock[2] / 1000000 + ARGV[2], ARGV[1])
return 1
"""


class RedisKeeping:
    """The notes of every deployment."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._client = connect(settings.job_store_url, patience_seconds=0.0)
        self._keep = self._client.register_script(_KEEP)

    @translated
    def keep(self, task_id: str, *, seconds: float, most: int) -> bool:
        """Note that a picture is kept from now on."""
        return bool(self._keep(keys=[KEPT], args=[task_id, seconds, most]))

    @translated
    def has(self, task_id: str) -> bool:
        """Tell whether a picture is kept and its time is not over."""
        until = self._client.zscore(KEPT, task_id)
        return until is not None and time_of(self._client) < float(until)

    @translated
    def over(self, *, limit: int) -> list[str]:
        """Return pictures whose time is over, the oldest first."""
        now = time_of(self._client)
        found: list[str] = self._client.zrangebyscore(KEPT, "-inf", now, 0, limit)
        return found

    @translated
    def drop(self, task_id: str) -> None:
        """Forget that a picture was kept."""
        self._client.zrem(KEPT, task_id)

    @translated
    def note(self, task_id: str, explanation_id: str, *, seconds: int) -> None:
        """Note for some time that an explanation was asked for."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.sadd(ASKED + task_id, explanation_id)
            pipeline.expire(ASKED + task_id, seconds)
            pipeline.execute()

    @translated
    def asked(self, task_id: str) -> list[str]:
        """Return the ids of the explanations of a picture that were asked for."""
        return sorted(self._client.smembers(ASKED + task_id))
