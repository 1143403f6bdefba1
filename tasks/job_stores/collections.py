"""Who collects pixels of pictures that were really asked, and which ones there are already.

Only digests lie here: Redis writes what it has into a file, where a picture would outlive its
deletion. The pixels are in the image store, see `collecting`.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from tasks.job_stores.connection import connect, translated
from tasks.settings import TasksSettings

OPEN, DIGESTS = "petiole:collecting:", "petiole:collected:"
TTL_SECONDS: Final = 60
"""Whoever collects renews it; of one that was killed the request is over after so long."""
ADDED, KNOWN, CLOSED = "added", "known", "closed"

# In one step, so that nothing is added to a collection that has ended, or is full.
ADD = """
local request = redis.call('GET', KEYS[1])
if not request or cjson.decode(request).id ~= ARGV[1] then return 'closed' end
if redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 1 then return 'known' end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[3]) then return 'closed' end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 'added'
"""


@dataclass(frozen=True)
class Collection:
    """Pixels that somebody asks the children for.

    Attributes:
        id: Nobody can guess it.
        model: Name of the model.
        version: Only pictures that this version answered count: they are prepared as it says.
        wanted: How many different ones.
        percent: Share of the pictures, by hash of the task id.
    """

    id: str
    model: str
    version: int
    wanted: int
    percent: float


class Collections:
    """Requests for pixels beside the job records.

    Every method raises `ServiceUnavailableError` when Redis cannot be reached.
    """

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._client: Any = connect(settings.job_store_url, patience_seconds=0.0)
        self._add = self._client.register_script(ADD)

    @translated
    def begin(self, collection: Collection) -> bool:
        """Ask for pixels; tells whether nobody else does so for this model."""
        request = json.dumps(asdict(collection))
        return bool(self._client.set(OPEN + collection.model, request, ex=TTL_SECONDS, nx=True))

    @translated
    def renew(self, collection: Collection) -> int:
        """Go on asking for a while; returns how many there are."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.set(OPEN + collection.model, json.dumps(asdict(collection)), ex=TTL_SECONDS)
            pipeline.expire(DIGESTS + collection.id, TTL_SECONDS)
            pipeline.scard(DIGESTS + collection.id)
            return int(pipeline.execute()[-1])

    @translated
    def open(self, models: Iterable[str]) -> dict[str, Collection]:
        """Return what is asked for of these models, by their name."""
        names = list(models)
        texts = self._client.mget([OPEN + name for name in names]) if names else []
        found = zip(names, texts, strict=True)
        return {name: Collection(**json.loads(text)) for name, text in found if text}

    @translated
    def add(self, collection: Collection, digest: str) -> str:
        """Note one that was written: `ADDED`, `KNOWN`, or `CLOSED` when no more are wanted."""
        keys = [OPEN + collection.model, DIGESTS + collection.id]
        args = [collection.id, digest, collection.wanted, TTL_SECONDS]
        return str(self._add(keys=keys, args=args))

    @translated
    def digests(self, collection: Collection) -> list[str]:
        """Return those of all that were written, in an order that says nothing."""
        return sorted(self._client.smembers(DIGESTS + collection.id))

    @translated
    def count(self, collection: Collection) -> int:
        """Return how many were written."""
        return int(self._client.scard(DIGESTS + collection.id))

    @translated
    def close(self, collection: Collection) -> None:
        """Ask no longer; what was written is still known."""
        self._client.delete(OPEN + collection.model)

    @translated
    def forget(self, collection: Collection) -> None:
        """Forget what was written."""
        self._client.delete(DIGESTS + collection.id)

    @translated
    def is_known(self, collection_id: str) -> bool:
        """Tell whether somebody still wants what was written for a collection."""
        return bool(self._client.exists(DIGESTS + collection_id))
