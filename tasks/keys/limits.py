"""How much each key, and each address without one, may ask for: requests, open jobs, bytes a day.

Requests are counted by the generic cell rate algorithm: of each subject only the time is kept at
which its next request would come if it kept to its rate. One script looks at all limits and takes
from all or none. It is asked once for several requests of a busy subject; what a process has been
given and does not use within half a second is lost.

Source: ITU-T I.371, annex A (virtual scheduling).
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from threading import Lock
from time import monotonic, time
from typing import Any, Protocol

from tasks.errors import ServiceUnavailableError
from tasks.job_stores.connection import connect, translated
from tasks.job_stores.measuring import SIZES
from tasks.settings import TasksSettings

REQUESTS, OPEN_JOBS, BYTES = "requests", "open-jobs", "bytes"
DAY_SECONDS = 86_400
BURST_SECONDS = 2.0
"""So much of its rate may come at once."""
LEASES_A_SECOND, LEASE_SECONDS = 20, 0.5
JUST_SENT_SECONDS = 5.0
"""So long a job counts as open that nobody has recorded yet."""
RETRY_OPEN_SECONDS = 1
MOST_SUBJECTS = 10_000
"""That one process remembers, so that many addresses fill nobody's memory."""
RATE, OPEN, SENT = "petiole:limit:rate:", "petiole:limit:open:", "petiole:limit:bytes:"


@dataclass(frozen=True)
class Bounds:
    """What one subject may; 0 is without a limit."""

    requests_per_second: float = 0.0
    open_jobs: int = 0
    bytes_per_day: int = 0

    @property
    def burst(self) -> float:
        """How many requests may come at once."""
        return max(1.0, self.requests_per_second * BURST_SECONDS)


@dataclass(frozen=True)
class Sent:
    """A picture that is about to be accepted: the id that its job will have, and its bytes.

    Without an id it is no job of its own, as many pictures at once are.
    """

    size_bytes: int
    task_id: str = ""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a request: `refused` names the limit that it is over, or is empty.

    `remaining` are requests that may come now, `retry_after_seconds` when the next one may.
    """

    refused: str = ""
    remaining: int = 0
    retry_after_seconds: int = 0


class Ledger(Protocol):
    """Counts what subjects have asked for."""

    def take(self, subject: str, bounds: Bounds, *, n: int, sent: Sent | None) -> tuple[str, float]:
        """Take up to `n` requests, and what is sent; all of it or nothing.

        Returns the limit that it is over, or nothing, and then how many requests were given, or
        the seconds until it may come again.
        """


# KEYS: rate, open jobs, bytes of today. ARGV: requests a second (or 0), burst, n, 1 if something is
# sent, its task id (or nothing), bytes, most open jobs, most bytes, seconds until tomorrow.
TAKE = f"""
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local rate, burst, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if rate > 0 then
    local room = math.floor(burst - (at - now) * rate + 0.000001)
    if room < 1 then return {{'{REQUESTS}', tostring(at - now - (burst - 1) / rate)}} end
    n = math.min(n, room)
end
if ARGV[4] == '1' then
    local bytes, most_open, most = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
    if most > 0 and tonumber(redis.call('GET', KEYS[3]) or 0) + bytes > most then
        return {{'{BYTES}', ARGV[9]}}
    end
    if most_open > 0 and ARGV[5] ~= '' then
        if redis.call('ZCARD', KEYS[2]) >= most_open then
            for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf',
                    now - {JUST_SENT_SECONDS})) do
                local is_open = redis.call('HEXISTS', '{SIZES}', id) == 1
                if not is_open then redis.call('ZREM', KEYS[2], id) end
            end
        end
        if redis.call('ZCARD', KEYS[2]) >= most_open then
            return {{'{OPEN_JOBS}', '{RETRY_OPEN_SECONDS}'}}
        end
        redis.call('ZADD', KEYS[2], now, ARGV[5])
        redis.call('EXPIRE', KEYS[2], {DAY_SECONDS})
    end
    if most > 0 and bytes > 0 then
        redis.call('INCRBY', KEYS[3], bytes)
        redis.call('EXPIRE', KEYS[3], ARGV[9])
    end
end
if rate > 0 then
    local next_at = at + n / rate
    redis.call('SET', KEYS[1], string.format('%.6f', next_at),
        'PX', math.ceil((next_at - now) * 1000) + 1000)
end
return {{'', tostring(n)}}
"""


class RedisLedger:
    """One count for all processes, by Redis' clock."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._client: Any = connect(settings.job_store_url, patience_seconds=0.0)
        self._take = self._client.register_script(TAKE)

    @translated
    def take(self, subject: str, bounds: Bounds, *, n: int, sent: Sent | None) -> tuple[str, float]:
        """Take up to `n` requests, and what is sent."""
        today, left = _today()
        said, number = self._take(
            keys=[RATE + subject, OPEN + subject, f"{SENT}{today}:{subject}"],
            args=[
                bounds.requests_per_second,
                bounds.burst,
                n,
                int(sent is not None),
                sent.task_id if sent else "",
                sent.size_bytes if sent else 0,
                bounds.open_jobs,
                bounds.bytes_per_day,
                left,
            ],
        )
        return said, float(number)


class MemoryLedger:
    """A count of one process: for tests, and for rates while Redis is away."""

    def __init__(self, is_open: Callable[[str], bool] = lambda _: True) -> None:
        """Count nothing yet; `is_open` tells whether a job is not over."""
        self._is_open = is_open
        self._next_at: dict[str, float] = {}
        self._jobs: dict[str, dict[str, float]] = defaultdict(dict)
        self._sent: dict[tuple[str, int], int] = {}
        self._lock = Lock()

    def take(self, subject: str, bounds: Bounds, *, n: int, sent: Sent | None) -> tuple[str, float]:
        """Take up to `n` requests, and what is sent."""
        with self._lock:
            now, rate = time(), bounds.requests_per_second
            at = max(self._next_at.get(subject, 0.0), now)
            if rate:
                room = int(bounds.burst - (at - now) * rate + 1e-6)
                if room < 1:
                    return REQUESTS, at - now - (bounds.burst - 1) / rate
                n = min(n, room)
            if sent and (over := self._over(subject, bounds, sent, now)):
                return over
            if len(self._next_at) >= MOST_SUBJECTS:
                # The oldest: most of these have kept still for longest.
                del self._next_at[next(iter(self._next_at))]
            if rate:
                self._next_at[subject] = at + n / rate
            return "", float(n)

    def _over(
        self, subject: str, bounds: Bounds, sent: Sent, now: float
    ) -> tuple[str, float] | None:
        today, left = _today()
        total = self._sent.get((subject, today), 0) + sent.size_bytes
        if bounds.bytes_per_day and total > bounds.bytes_per_day:
            return BYTES, left
        jobs = self._jobs[subject]
        if bounds.open_jobs and sent.task_id:
            if len(jobs) >= bounds.open_jobs:
                for task_id, at in list(jobs.items()):
                    if at < now - JUST_SENT_SECONDS and not self._is_open(task_id):
                        del jobs[task_id]
            if len(jobs) >= bounds.open_jobs:
                return OPEN_JOBS, RETRY_OPEN_SECONDS
            jobs[sent.task_id] = now
        self._sent = {k: v for k, v in self._sent.items() if k[1] == today}
        self._sent[subject, today] = total
        return None


def _today() -> tuple[int, int]:
    """Return the number of the day (UTC), and the seconds until the next one."""
    now = int(time())
    return now // DAY_SECONDS, DAY_SECONDS - now % DAY_SECONDS


class Limiter:
    """Decides for one process; asks the ledger once for several requests of a busy subject."""

    def __init__(self, ledger: Ledger) -> None:
        """Know nobody."""
        self._ledger = ledger
        self._alone = MemoryLedger()
        self._leases: dict[str, tuple[int, float]] = {}
        self._lock = Lock()

    def admit(self, subject: str, bounds: Bounds, sent: Sent | None = None) -> Verdict:
        """Count a request of a subject within its bounds, or refuse it.

        While Redis is away rates are counted by each process alone, and the rest not at all.
        """
        left = self._leased(subject)
        if left is not None and sent is None:
            return Verdict(remaining=left)
        # A request that a lease has paid for costs its picture's limits only.
        rate = 0.0 if left is not None else bounds.requests_per_second
        refused, number = self._taken(subject, replace(bounds, requests_per_second=rate), sent)
        if refused:
            return Verdict(refused, retry_after_seconds=max(1, ceil(number)))
        if left is not None:
            return Verdict(remaining=left)
        return Verdict(remaining=self._lease(subject, int(number) - 1))

    def admit_further(self, subject: str, bounds: Bounds, sent: Sent) -> Verdict:
        """Count one more picture of a request that was admitted, or refuse it."""
        refused, number = self._taken(subject, replace(bounds, requests_per_second=0.0), sent)
        return Verdict(refused, retry_after_seconds=max(1, ceil(number)) if refused else 0)

    def _taken(self, subject: str, bounds: Bounds, sent: Sent | None) -> tuple[str, float]:
        wanted = max(1, round(bounds.requests_per_second / LEASES_A_SECOND))
        try:
            return self._ledger.take(subject, bounds, n=wanted, sent=sent)
        except ServiceUnavailableError:
            return self._alone.take(subject, Bounds(bounds.requests_per_second), n=1, sent=None)

    def _leased(self, subject: str) -> int | None:
        """Take a request from what this process was given; tells how many are left, or nothing."""
        with self._lock:
            left, until = self._leases.get(subject, (0, 0.0))
            if left < 1 or until < monotonic():
                self._leases.pop(subject, None)
                return None
            self._leases[subject] = left - 1, until
            return left - 1

    def _lease(self, subject: str, left: int) -> int:
        with self._lock:
            if len(self._leases) >= MOST_SUBJECTS:
                self._leases.clear()
            if left > 0:
                self._leases[subject] = left, monotonic() + LEASE_SECONDS
            return max(0, left)
