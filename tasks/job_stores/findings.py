"""What was found out lately: how a guarded version does, what became of int8 of a version."""

import json
from collections import defaultdict, deque
from dataclasses import asdict, dataclass
from time import time
from typing import Any, Final, Protocol

from tasks.job_stores.connection import connect, translated
from tasks.settings import TasksSettings

RECENT, INT8 = "petiole:guarded:", "petiole:int8:"
REMEMBERED_SECONDS: Final = 7 * 86_400
"""So long int8 of a version is not tried again by itself."""


@dataclass(frozen=True)
class Recent:
    """How many of the last pictures were compared, and on how many both said the same."""

    compared: int
    agreed: int


@dataclass(frozen=True)
class Tried:
    """What became of int8 of a version, and when (seconds since the epoch)."""

    outcome: str
    at: float


class Findings(Protocol):
    """Keeps findings; every method may raise `ServiceUnavailableError`."""

    def note(self, name: str, number: int, *, agreed: bool, most: int) -> None:
        """Note a comparison in trial `number` of a model; of the last `most` it is known."""

    def recent(self, name: str, number: int) -> Recent:
        """Return what is known of these comparisons."""

    def note_int8(self, ref: str, outcome: str) -> None:
        """Keep for a week what became of int8 of `name@version`."""

    def int8(self, ref: str) -> Tried | None:
        """Return what became of int8 of `name@version`, as far as it was tried lately."""


class MemoryFindings:
    """For Celery's eager mode and for tests."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._recent: dict[tuple[str, int], deque[bool]] = defaultdict(deque)
        self._tried: dict[str, Tried] = {}

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

    def note_int8(self, ref: str, outcome: str) -> None:
        """Keep what became of int8 of `name@version`."""
        self._tried[ref] = Tried(outcome, time())

    def int8(self, ref: str) -> Tried | None:
        """Return what became of int8 of `name@version`."""
        return self._tried.get(ref)


class RedisFindings:
    """A list of zeros and ones for each guarded trial, a string for each version that was tried."""

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
    def note_int8(self, ref: str, outcome: str) -> None:
        """Keep for a week what became of int8 of `name@version`."""
        tried = json.dumps(asdict(Tried(outcome, time())))
        self._client.set(INT8 + ref, tried, ex=REMEMBERED_SECONDS)

    @translated
    def int8(self, ref: str) -> Tried | None:
        """Return what became of int8 of `name@version`, as far as it was tried lately."""
        text = self._client.get(INT8 + ref)
        return Tried(**json.loads(text)) if text else None
