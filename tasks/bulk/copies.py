"""Open bulks as they are carried to another place: the record, what waits, and what has ended.

A pack that is worked on is copied as one that waits: its pictures are done once more.
"""

from dataclasses import dataclass
from typing import Any

from tasks.bulk.records import PREFIX, Pack
from tasks.bulk.redis_bulks import BULK, OPEN_BULKS, PACK
from tasks.job_stores.connection import connect, translated
from tasks.job_stores.copies import PATIENCE_SECONDS
from tasks.job_stores.records import OVER
from tasks.settings import TasksSettings

# In one step, so that no pack is in two places or in none. KEYS: bulk, packs, out, results.
# ARGV: prefix of the packs that are out.
READ = """
local out = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    out[#out + 1] = redis.call('HGET', ARGV[1] .. id, 'pack')
end
return {redis.call('HGETALL', KEYS[1]), redis.call('LRANGE', KEYS[2], 0, -1), out,
    redis.call('LRANGE', KEYS[4], 0, -1)}
"""

# KEYS: bulk, packs, results, open bulks. ARGV: id, bytes, seconds to live, how many values the
# record has, how many packs there are, then all of them and the results.
WRITE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local record, packs = 6 + ARGV[4], 6 + ARGV[4] + ARGV[5]
redis.call('HSET', KEYS[1], unpack(ARGV, 6, record - 1))
for i = record, packs - 1 do redis.call('RPUSH', KEYS[2], ARGV[i]) end
for i = packs, #ARGV do redis.call('RPUSH', KEYS[3], ARGV[i]) end
for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
redis.call('HSET', KEYS[4], ARGV[1], ARGV[2])
return 1
"""


@dataclass(frozen=True)
class BulkCopy:
    """An open bulk: its record, name by name, its packs and its results as the store has them."""

    record: dict[str, str]
    packs: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def bulk_id(self) -> str:
        """Its id."""
        return self.record["bulk_id"]

    def owns(self, key: str) -> bool:
        """Tell whether an object of the image store is one of its own."""
        return key.startswith(PREFIX + self.bulk_id)


class BulkCopies:
    """Reads and writes open bulks; raises `ServiceUnavailableError` without Redis."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._settings = settings
        self._client: Any = connect(settings.job_store_url, patience_seconds=PATIENCE_SECONDS)
        self._read = self._client.register_script(READ)
        self._write = self._client.register_script(WRITE)

    @translated
    def open_ids(self) -> list[str]:
        """Return the bulks that are not over."""
        return sorted(self._client.hkeys(OPEN_BULKS))

    @translated
    def of(self, bulk_id: str) -> BulkCopy | None:
        """Return a copy of a bulk, or None when it is over."""
        keys = [
            BULK + bulk_id,
            *(f"{BULK}{bulk_id}:{each}" for each in ("packs", "out", "results")),
        ]
        flat, waiting, out, results = self._read(keys=keys, args=[PACK])
        record = dict(zip(flat[::2], flat[1::2], strict=True))
        if not record or record["state"] in OVER:
            return None
        again = sorted(filter(None, out), key=lambda text: Pack.of(text).number)
        return BulkCopy(record, (*again, *waiting), tuple(results))

    @translated
    def write(self, copy: BulkCopy) -> bool:
        """Write a bulk that waits to be released; False when there is one of its id."""
        keys = [BULK + copy.bulk_id, *(f"{BULK}{copy.bulk_id}:{e}" for e in ("packs", "results"))]
        record = [part for pair in copy.record.items() for part in pair]
        sizes = [copy.record.get("size_bytes", 0), self._settings.bulk_open_ttl_seconds]
        counts = [len(record), len(copy.packs)]
        args = [copy.bulk_id, *sizes, *counts, *record, *copy.packs, *copy.results]
        return bool(self._write(keys=[*keys, OPEN_BULKS], args=args))
