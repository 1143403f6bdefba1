"""Bulks in the Redis of the job records."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from tasks import lanes
from tasks.bulk import scripts
from tasks.bulk.records import LISTING, Bulk, Ended, Entry, Pace, Pack, bulk_of
from tasks.envelopes import Envelope
from tasks.errors import QueueFullError
from tasks.job_stores import Job
from tasks.job_stores.connection import connect, time_of, translated
from tasks.job_stores.measuring import OPEN, RETRY_MOST_SECONDS, STARTED_JOBS
from tasks.job_stores.redis_upkeep import JOB
from tasks.settings import TasksSettings

BULK, PACK, OPEN_BULKS = "petiole:bulk:", "petiole:pack:", "petiole:bulks"
PACKS_OUT = 16
"""Packs of one bulk that are jobs at the same time: enough for many children, few to take back."""
OVER_SECONDS = 3600
"""How long the job of a pack that is over is known, so that a message sent twice finds it."""
PACE_ENTRIES, PACE_SECONDS = 64, 60.0
ADDED_AT_ONCE = 1000


class RedisBulks:
    """The store of bulks of every deployment."""

    def __init__(self, settings: TasksSettings, *, patience_seconds: float) -> None:
        """Connect when first used."""
        self._settings = settings
        self._client = connect(settings.job_store_url, patience_seconds=patience_seconds)
        register = self._client.register_script
        self._open, self._next = register(scripts.OPEN), register(scripts.NEXT)
        self._release, self._put_back = register(scripts.RELEASE), register(scripts.PUT_BACK)
        self._end_listing, self._end_pack = (
            register(scripts.END_LISTING),
            register(scripts.END_PACK),
        )
        self._drop_pack, self._end = register(scripts.DROP_PACK), register(scripts.END)
        self._pause, self._begin = register(scripts.PAUSE), register(scripts.BEGIN_PICTURE)

    @translated
    def open(self, bulk: Bulk) -> None:
        """Accept a bulk, whose listing waits to be released."""
        limits = self._settings
        said = self._open(
            keys=[BULK + bulk.bulk_id, _packs(bulk.bulk_id), OPEN_BULKS],
            args=[
                bulk.bulk_id,
                bulk.size_bytes,
                limits.bulk_max_open,
                limits.bulk_max_open_bytes,
                limits.bulk_open_ttl_seconds,
                Pack(LISTING).text,
                *_record(bulk),
            ],
        )
        if said != "OPEN":
            raise full(limits, is_many=said == "MANY")

    @translated
    def get(self, bulk_id: str) -> Bulk | None:
        """Return a bulk, or None when there is none."""
        return _bulk(self._client.hgetall(BULK + bulk_id))

    @translated
    def open_ids(self) -> list[str]:
        """Return the bulks that are not over; those whose record has expired are forgotten."""
        ids: list[str] = self._client.hkeys(OPEN_BULKS)
        gone = [each for each in ids if not self._client.exists(BULK + each)]
        if gone:
            self._client.hdel(OPEN_BULKS, *gone)
        return [each for each in ids if each not in gone]

    @translated
    def next_pack(self, bulk_id: str) -> Pack | None:
        """Return the pack that may be released now."""
        keys = [BULK + bulk_id, _packs(bulk_id), _out(bulk_id)]
        text = self._next(keys=keys, args=[PACKS_OUT])
        return Pack.of(text) if text else None

    @translated
    def release(self, pack: Pack, job: Job, envelope: Envelope | None = None) -> bool:
        """Make a job of the next pack, with its message."""
        bulk_id, pack_id = bulk_of(job.task_id), job.task_id
        message = envelope or Envelope("", "")
        return bool(
            self._release(
                keys=[
                    *(BULK + bulk_id, _packs(bulk_id), _out(bulk_id), JOB + pack_id),
                    *(OPEN + job.lane, message.key, PACK + pack_id),
                ],
                args=[
                    *(pack.text, pack_id, message.payload, self._settings.bulk_open_ttl_seconds),
                    *_record(job, but="fence"),
                ],
            )
        )

    @translated
    def put_back(self, pack: Pack, job: Job) -> bool:
        """Let a claimed pack wait in its bulk again."""
        bulk_id = bulk_of(job.task_id)
        keys = [JOB + job.task_id, STARTED_JOBS, _out(bulk_id), _packs(bulk_id)]
        return bool(self._put_back(keys=keys, args=[job.fence, job.task_id, pack.text]))

    @translated
    def pack_of(self, pack_id: str) -> Pack | None:
        """Return the pack of a job that is not over."""
        text = self._client.hget(PACK + pack_id, "pack")
        return Pack.of(text) if text else None

    @translated
    def add_packs(self, job: Job, packs: list[Pack]) -> None:
        """Keep packs that a listing found."""
        key = _found(job)
        with self._client.pipeline(transaction=True) as pipeline:
            for begin in range(0, len(packs), ADDED_AT_ONCE):
                some = packs[begin : begin + ADDED_AT_ONCE]
                pipeline.rpush(key, *(pack.text for pack in some))
            pipeline.expire(key, OVER_SECONDS)
            pipeline.execute()

    @translated
    def end_listing(self, job: Job, bulk: Bulk) -> bool:
        """End a listing."""
        bulk_keys = (BULK + bulk.bulk_id, _packs(bulk.bulk_id), _found(job))
        keys = [*_job_keys(job), *bulk_keys, PACK + job.task_id]
        lives = self._settings.bulk_open_ttl_seconds
        told = [bulk.total, bulk.packs, bulk.body, lives, bulk.index]
        return bool(
            self._end_listing(keys=keys, args=[job.fence, job.task_id, OVER_SECONDS, *told])
        )

    @translated
    def end_pack(self, job: Job, ended: Ended, *, fence: int | None) -> bool:
        """End a pack and append its entry."""
        bulk_id = bulk_of(job.task_id)
        args = [
            *("" if fence is None else fence, job.task_id, OVER_SECONDS),
            *(_text(ended.entry), ended.succeeded, ended.failed, bulk_id),
            *(self._settings.bulk_open_ttl_seconds, self._settings.bulk_ttl_seconds, PACE_ENTRIES),
        ]
        keys = [*_job_keys(job), *_bulk_keys(bulk_id), PACK + job.task_id]
        return bool(self._end_pack(keys=keys, args=args))

    @translated
    def drop_pack(self, job: Job, *, fence: int | None = None) -> bool:
        """End the job of a pack and nothing else."""
        keys = [*_job_keys(job), PACK + job.task_id]
        args = ["" if fence is None else fence, job.task_id, OVER_SECONDS]
        return bool(self._drop_pack(keys=keys, args=args))

    @translated
    def end(self, bulk_id: str, state: str, *, error: str = "") -> bool:
        """End a bulk before its time."""
        keys = ["", "", "", "", *_bulk_keys(bulk_id)]
        args = [bulk_id, state, error, self._settings.bulk_ttl_seconds]
        return bool(self._end(keys=keys, args=args))

    @translated
    def pause(self, bulk_id: str, *, is_paused: bool) -> bool:
        """Let no more packs be released, or again."""
        return bool(self._pause(keys=[BULK + bulk_id], args=[int(is_paused)]))

    @translated
    def forget(self, bulk_id: str) -> None:
        """Delete all that is kept of a bulk."""
        self._client.delete(*_bulk_keys(bulk_id)[:-1], _out(bulk_id))
        self._client.hdel(OPEN_BULKS, bulk_id)

    @translated
    def entries(self, bulk_id: str, *, start: int, limit: int) -> list[Entry]:
        """Return entries in the order in which packs ended."""
        found = self._client.lrange(_results(bulk_id), start, start + limit - 1)
        return [_entry(text) for text in found]

    @translated
    def pace(self, bulk_id: str) -> Pace:
        """Return how fast pictures of a bulk end."""
        told = [each.split() for each in self._client.lrange(_pace(bulk_id), 0, -1)]
        now = time_of(self._client)
        return pace_of([(float(at), int(n)) for at, n in told], now)

    @translated
    def begin_picture(self, job: Job, number: int) -> int:
        """Note that one picture of a pack is in work now."""
        keys = [JOB + job.task_id, PACK + job.task_id]
        return int(self._begin(keys=keys, args=[job.fence, number]))

    @translated
    def end_picture(self, job: Job, number: int, line: str) -> None:
        """Keep the line of one picture."""
        self._client.hset(PACK + job.task_id, f"line:{number}", line)
        self._client.expire(PACK + job.task_id, self._settings.bulk_open_ttl_seconds)

    @translated
    def lines(self, pack_id: str) -> dict[int, str]:
        """Return the lines that are kept of a pack, by the pictures' numbers."""
        kept = self._client.hgetall(PACK + pack_id).items()
        return {int(n[5:]): line for n, line in kept if n.startswith("line:")}


def full(limits: TasksSettings, *, is_many: bool) -> QueueFullError:
    """Return why a bulk is not accepted."""
    if is_many:
        detail = f"{limits.bulk_max_open} bulks are open already"
    else:
        detail = f"open bulks would have more than {limits.bulk_max_open_bytes} bytes together"
    message = f"{detail}; send it again when one is over"
    return QueueFullError(message, retry_after_seconds=RETRY_MOST_SECONDS)


def pace_of(ends: list[tuple[float, int]], now: float) -> Pace:
    """Return the pace of ends, the latest first: since the oldest of the last minute."""
    recent = [(at, n) for at, n in ends if now - at <= PACE_SECONDS]
    if len(recent) < 2:  # noqa: PLR2004 - between two ends there is a time
        return Pace(0, 0.0)
    return Pace(sum(n for _, n in recent[:-1]), now - recent[-1][0])


def _packs(bulk_id: str) -> str:
    return f"{BULK}{bulk_id}:packs"


def _out(bulk_id: str) -> str:
    return f"{BULK}{bulk_id}:out"


def _results(bulk_id: str) -> str:
    return f"{BULK}{bulk_id}:results"


def _pace(bulk_id: str) -> str:
    return f"{BULK}{bulk_id}:pace"


def _found(job: Job) -> str:
    """Return where packs are kept that one start of a listing found."""
    return f"{BULK}{bulk_of(job.task_id)}:found:{job.fence}"


def _job_keys(job: Job) -> list[str]:
    lane = OPEN + (job.lane or lanes.BULK)
    return [JOB + job.task_id, lane, STARTED_JOBS, _out(bulk_of(job.task_id))]


def _bulk_keys(bulk_id: str) -> list[str]:
    lists = (_packs(bulk_id), _results(bulk_id), _pace(bulk_id))
    return [BULK + bulk_id, *lists, OPEN_BULKS]


def _record(what: Bulk | Job, *, but: str = "") -> list[Any]:
    """Return names and values in turn, as HSET takes them, without those that are as ever."""
    told = {f.name: (getattr(what, f.name), f.default) for f in fields(what) if f.name != but}
    kept = {n: value for n, (value, default) in told.items() if value != default or n == "state"}
    return [part for name, value in kept.items() for part in (name, value)]


def _text(entry: Entry) -> str:
    return json.dumps({**asdict(entry), "pack": entry.pack.text})


def _entry(text: str) -> Entry:
    told = json.loads(text)
    return Entry(Pack.of(told["pack"]), told["key"], told["problem"])


_WHOLE = (
    *("top_k", "neighbours", "size_bytes", "total", "packs", "packs_done"),
    *("succeeded", "failed"),
)
_BROKEN = ("submitted_at", "over_at", "min_probability")


def _bulk(record: Mapping[str, str]) -> Bulk | None:
    if "bulk_id" not in record:
        return None
    kinds: dict[str, Any] = {**dict.fromkeys(_WHOLE, int), **dict.fromkeys(_BROKEN, float)}
    kinds["is_paused"] = lambda text: text == "1"
    known = [field.name for field in fields(Bulk) if field.name in record]
    return Bulk(**{name: kinds.get(name, str)(record[name]) for name in known})
