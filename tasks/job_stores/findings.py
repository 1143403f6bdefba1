"""What was found out lately: how a guarded version does, why int8 of a version is not served."""

import json
from collections import defaultdict, deque
from dataclasses import asdict, dataclass
from time import time
from typing import Any, Final, Protocol

from tasks.job_stores.connection import connect, translated
from tasks.settings import TasksSettings

RECENT, REFUSED = "petiole:guarded:", "petiole:int8-refused:"
REMEMBERED_SECONDS: Final = 7 * 86_400
"""So long int8 of a version that was refused is not tried again by itself."""


@dataclass(frozen=True)
class Recent:
    """How many of the last pictures were compared, and on how many both said the same."""

    compared: int
    agreed: int


@dataclass(frozen=True)
class Refusal:
    """Why int8 of a version is not served, and when that was found (seconds since the epoch)."""

    reason: str
    at: float


class Findings(Protocol):
    """Keeps findings; every method may raise `ServiceUnavailableError`."""

    def note(self, name: str, number: int, *, agreed: bool, most: int) -> None:
        """Note a comparison in trial `number` of a model; of the last `most` it is known."""

    def recent(self, name: str, number: int) -> Recent:
        """Return what is known of these comparisons."""

    def refuse(self, ref: str, reason: str) -> None:
        """Keep for a week why int8 of `name@version` is not served."""

    def refusal(self, ref: str) -> Refusal | None:
        """Return why int8 of `name@version` is not served, as far as that was found lately."""


class MemoryFindings:
    """For Celery's eager mode and for tests."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._recent: dict[tuple[str, int], deque[bool]] = defaultdict(deque)
        self._refused: dict[str, Refusal] = {}

    def note(self, name: str, number: int, *, agreed: bool, most: int) -> None:
        """Note a comparison."""
        last = self._recent[name, number]
        last.append(agreed)
        while len(last) > most:
            last.popleft()

    def recent(self, name: str, number: int) -> Recent:
        """Return what is known of these comparisons."""
        last = self._recent[name, number]
        return Recent(len(last), sum(last))

    def refuse(self, ref: str, reason: str) -> None:
        """Keep why int8 of `name@version` is not served."""
        self._refused[ref] = Refusal(reason, time())

    def refusal(self, ref: str) -> Refusal | None:
        """Return why int8 of `name@version` is not served."""
        return self._refused.get(ref)


class RedisFindings:
    """A list of zeros and ones for each guarded trial, a string for each refusal."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._client: Any = connect(settings.job_store_url, patience_seconds=0.0)

    @translated
    def note(self, name: str, number: int, *, agreed: bool, most: int) -> None:
        """Note a comparison."""
        key = f"{RECENT}{name}:{number}"
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.lpush(key, int(agreed))
            pipeline.ltrim(key, 0, most - 1)
            pipeline.expire(key, REMEMBERED_SECONDS)
            pipeline.execute()

    @translated
    def recent(self, name: str, number: int) -> Recent:
        """Return what is known of these comparisons."""
        last = self._client.lrange(f"{RECENT}{name}:{number}", 0, -1)
        return Recent(len(last), last.count("1"))

    @translated
    def refuse(self, ref: str, reason: str) -> None:
        """Keep for a week why int8 of `name@version` is not served."""
        refusal = json.dumps(asdict(Refusal(reason, time())))
        self._client.set(REFUSED + ref, refusal, ex=REMEMBERED_SECONDS)

    @translated
    def refusal(self, ref: str) -> Refusal | None:
        """Return why int8 of `name@version` is not served, as far as that was found lately."""
        text = self._client.get(REFUSED + ref)
        return Refusal(**json.loads(text)) if text else None
