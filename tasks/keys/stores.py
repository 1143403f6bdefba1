"""Where keys are kept: beside the job records in Redis, or in the memory of one process."""

from collections.abc import Callable
from dataclasses import asdict, replace
from threading import Lock
from time import time
from typing import Any

from tasks.job_stores.connection import connect, translated
from tasks.keys.records import MOST_ACTIVE, ApiKey, Limits, too_many
from tasks.settings import TasksSettings

LIMITS: dict[str, Callable[[str], Any]] = {
    "requests_per_second": float,
    "open_jobs": int,
    "bytes_per_day": int,
}
"""How each limit of a key is read from its record."""

KEY, EVERY, USES = "petiole:key:", "petiole:keys", "petiole:key-uses"

# KEYS: the set of all keys, the new one. ARGV: id, name, most active, prefix of keys, then names
# and values of the record. Returns the owner, or nothing when there are too many.
CREATE = """
local now, active, owner = tonumber(redis.call('TIME')[1]), 0, false
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local key = redis.call('HMGET', ARGV[4] .. id, 'name', 'owner', 'expires_at')
    local ends = tonumber(key[3] or 0)
    if key[1] == ARGV[2] and (ends == 0 or ends > now) then
        active, owner = active + 1, key[2]
    end
end
if active >= tonumber(ARGV[3]) then return false end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], unpack(ARGV, 5))
if owner then redis.call('HSET', KEYS[2], 'owner', owner) end
return redis.call('HGET', KEYS[2], 'owner')
"""

# KEYS: the set of all keys, the key. ARGV: id, then names and values of the record.
PUT_BACK = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return 1
"""

# What was revoked does not come back. Beside the keys, so that who notes a use need not be able to
# make one. KEYS: the key, the uses of all. ARGV: id, when it was used.
TOUCH = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
"""


class MemoryKeys:
    """For Celery's eager mode and for tests."""

    def __init__(self) -> None:
        """Know no key."""
        self._keys: dict[str, ApiKey] = {}
        self._lock = Lock()

    def create(self, key: ApiKey) -> ApiKey:
        """Keep a new key."""
        with self._lock:
            of_name = [each for each in self._keys.values() if each.name == key.name]
            active = [each for each in of_name if not each.is_expired(time())]
            if len(active) >= MOST_ACTIVE:
                raise too_many(key.name)
            kept = replace(key, owner=active[-1].owner) if active else key
            self._keys[key.key_id] = kept
            return kept

    def put_back(self, key: ApiKey) -> bool:
        """Keep a key of a backup."""
        with self._lock:
            return self._keys.setdefault(key.key_id, key) is key

    def get(self, key_id: str) -> ApiKey | None:
        """Return a key."""
        return self._keys.get(key_id)

    def all(self) -> list[ApiKey]:
        """Return every key."""
        return sorted(self._keys.values(), key=lambda each: each.created_at)

    def revoke(self, key_id: str) -> bool:
        """Forget a key."""
        with self._lock:
            return self._keys.pop(key_id, None) is not None

    def touch(self, key_id: str, *, at: float) -> None:
        """Note that a key was used."""
        with self._lock:
            if key := self._keys.get(key_id):
                self._keys[key_id] = replace(key, used_at=at)


class RedisKeys:
    """A hash for each key, and the set of their ids; as lasting as the job records."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._client: Any = connect(settings.job_store_url, patience_seconds=0.0)
        self._create = self._client.register_script(CREATE)
        self._touch = self._client.register_script(TOUCH)
        self._put_back = self._client.register_script(PUT_BACK)

    @translated
    def create(self, key: ApiKey) -> ApiKey:
        """Keep a new key."""
        args = [key.key_id, key.name, MOST_ACTIVE, KEY, *_flat(key)]
        owner = self._create(keys=[EVERY, KEY + key.key_id], args=args)
        if owner is None:
            raise too_many(key.name)
        return replace(key, owner=owner)

    @translated
    def put_back(self, key: ApiKey) -> bool:
        """Keep a key of a backup."""
        args = [key.key_id, *_flat(key)]
        return bool(self._put_back(keys=[EVERY, KEY + key.key_id], args=args))

    @translated
    def get(self, key_id: str) -> ApiKey | None:
        """Return a key."""
        with self._client.pipeline(transaction=False) as pipeline:
            record, used_at = pipeline.hgetall(KEY + key_id).hget(USES, key_id).execute()
        return _key_of(record, used_at)

    @translated
    def all(self) -> list[ApiKey]:
        """Return every key."""
        with self._client.pipeline(transaction=False) as pipeline:
            for key_id in self._client.smembers(EVERY):
                pipeline.hgetall(KEY + key_id).hget(USES, key_id)
            said = pipeline.execute()
        found = filter(None, map(_key_of, said[::2], said[1::2]))
        return sorted(found, key=lambda each: each.created_at)

    @translated
    def revoke(self, key_id: str) -> bool:
        """Forget a key."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.delete(KEY + key_id)
            pipeline.srem(EVERY, key_id)
            pipeline.hdel(USES, key_id)
            return bool(pipeline.execute()[0])

    @translated
    def touch(self, key_id: str, *, at: float) -> None:
        """Note that a key was used."""
        self._touch(keys=[KEY + key_id, USES], args=[key_id, at])


def _flat(key: ApiKey) -> list[Any]:
    """Return names and values of a record; a limit that is not the key's own is not among them."""
    record = asdict(key) | {"scopes": " ".join(key.scopes)} | key.limits.own
    del record["limits"]
    return [part for pair in record.items() for part in pair]


def _key_of(record: dict[str, str], used_at: str | None) -> ApiKey | None:
    if not record:
        return None
    return ApiKey(
        key_id=record["key_id"],
        name=record["name"],
        owner=record["owner"],
        digest=record["digest"],
        scopes=tuple(record["scopes"].split()),
        created_at=float(record["created_at"]),
        expires_at=float(record["expires_at"]),
        used_at=float(used_at or record["used_at"]),
        limits=_limits_of(record),
    )


def _limits_of(record: dict[str, str]) -> Limits:
    said = {name: read(record[name]) for name, read in LIMITS.items() if name in record}
    return Limits(**said)
